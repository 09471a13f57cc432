#include "policy/text/tokenizer_steps.h"

#include <fmt/format.h>

#include <stdexcept>

#include "policy/text/unicode_classes.h"

namespace hone {
namespace {

constexpr int kDeepest = 16;       // Sequences within Sequences
constexpr size_t kMostSteps = 64;  // of one kind in a file

// Calls read(part, where) for the part, or for each part of the Sequence that it is, in order.
template <class Read>
void ForEachStep(const TokenizerJson& file, const Json& part, const std::string& key,
                 const std::string& where, int depth, size_t* steps, const Read& read) {
  if (file.Type(part, where) == "Sequence") {
    if (depth == kDeepest) file.Fail(where, fmt::format("Sequences nest more than {} deep", depth));
    file.ForEach(part, key, where, [&](const Json& inner, const std::string& at) {
      ForEachStep(file, inner, key, at, depth + 1, steps, read);
    });
    return;
  }
  if (++*steps > kMostSteps) file.Fail(where, fmt::format("more than {} steps", kMostSteps));
  read(part, where);
}

SplitPattern Pattern(const TokenizerJson& file, const Json& part, const std::string& part_where) {
  const Json& json = file.Object(part, "pattern", part_where);
  const std::string where = part_where + ".pattern";
  try {
    if (json.contains("String")) return SplitPattern::Literal(file.String(json, "String", where));
    return SplitPattern(file.String(json, "Regex", where));
  } catch (const std::invalid_argument& error) {
    file.Fail(where, error.what());
  }
}

NormalizerStep ReadNormalizerStep(const TokenizerJson& file, const Json& part,
                                  const std::string& where) {
  const std::string type = file.Type(part, where);
  NormalizerStep step;
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    step.form = type == "NFC"    ? NormalForm::kC
                : type == "NFD"  ? NormalForm::kD
                : type == "NFKC" ? NormalForm::kKC
                                 : NormalForm::kKD;
  } else if (type == "Prepend") {
    step.kind = NormalizerKind::kPrepend;
    step.content = file.String(part, "prepend", where);
  } else if (type == "Replace") {
    step.kind = NormalizerKind::kReplace;
    step.pattern = Pattern(file, part, where);
    step.content = file.String(part, "content", where);
  } else if (type == "Lowercase") {
    step.kind = NormalizerKind::kLowercase;
  } else if (type == "Strip") {
    step.kind = NormalizerKind::kStrip;
    step.left = file.Bool(part, "strip_left", where, true);
    step.right = file.Bool(part, "strip_right", where, true);
  } else if (type == "StripAccents") {
    step.kind = NormalizerKind::kStripAccents;
  } else if (type == "Nmt") {
    step.kind = NormalizerKind::kNmt;
  } else if (type == "ByteLevel") {
    step.kind = NormalizerKind::kByteLevel;
  } else {
    file.FailType(where + ".type", type,
                  "NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, StripAccents, "
                  "BertNormalizer, Nmt, ByteLevel or a Sequence of them");
  }
  return step;
}

void AddBertNormalizer(const TokenizerJson& file, const Json& part, const std::string& where,
                       std::vector<NormalizerStep>* steps) {
  const auto add = [&](NormalizerKind kind) { steps->emplace_back().kind = kind; };
  const bool lowercase = file.Bool(part, "lowercase", where, true);
  if (file.Bool(part, "clean_text", where, true)) add(NormalizerKind::kBertClean);
  if (file.Bool(part, "handle_chinese_chars", where, true)) add(NormalizerKind::kBertChinese);
  if (file.Bool(part, "strip_accents", where, lowercase)) add(NormalizerKind::kBertAccents);
  if (lowercase) add(NormalizerKind::kLowercase);
}

SplitBehavior Behavior(const TokenizerJson& file, const Json& part, const std::string& where) {
  const std::string name = file.String(part, "behavior", where);
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  file.FailType(where + ".behavior", name,
                "Removed, Isolated, Contiguous, MergedWithPrevious or MergedWithNext");
}

PreTokenizerStep ReadSplit(const TokenizerJson& file, const Json& part, const std::string& where) {
  PreTokenizerStep step;
  step.behavior = Behavior(file, part, where);
  step.invert = file.Bool(part, "invert", where, false);
  step.pattern = Pattern(file, part, where);
  // These patterns leave nothing between their matches: inverted or not, each stands alone.
  const Json& regex = part["pattern"];
  if (step.behavior == SplitBehavior::kIsolated && regex.contains("Regex")) {
    step.scanner = WordScanner::For(regex["Regex"].get<std::string>());
  }
  return step;
}

PreTokenizerStep ReadMetaspace(const TokenizerJson& file, const Json& part,
                               const std::string& where) {
  PreTokenizerStep step;
  step.replacement = file.Character(part, "replacement", where);
  const std::string scheme = file.String(part, "prepend_scheme", where, "always");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    file.FailType(where + ".prepend_scheme", scheme, "always, first or never");
  }
  step.prepend = scheme == "always"  ? PrependScheme::kAlways
                 : scheme == "first" ? PrependScheme::kFirst
                                     : PrependScheme::kNever;
  if (!file.Bool(part, "add_prefix_space", where, true)) {  // how older files say "never"
    if (step.prepend != PrependScheme::kNever) {
      file.Fail(where + ".add_prefix_space",
                "is false, which prepend_scheme \"never\" must confirm");
    }
  }
  if (file.Bool(part, "split", where, true)) {
    step.pattern = SplitPattern::Literal(step.replacement);
    step.behavior = SplitBehavior::kMergedWithNext;
  }
  return step;
}

PreTokenizerStep OfClasses(uint16_t classes, SplitBehavior behavior) {
  PreTokenizerStep step;
  step.classes = classes;
  step.behavior = behavior;
  return step;
}

void AddPreTokenizerStep(const TokenizerJson& file, const Json& part, const std::string& where,
                         PreTokenizer* out) {
  const std::string type = file.Type(part, where);
  if (out->byte_level) file.Fail(where, fmt::format("{} after ByteLevel is not supported", type));
  if (type == "ByteLevel") {
    PreTokenizerStep step;
    step.add_prefix_space = file.Bool(part, "add_prefix_space", where, true);
    if (file.Bool(part, "use_regex", where, true)) step.scanner = WordScanner::For(kGpt2Pattern);
    out->byte_level = true;
    out->steps.push_back(std::move(step));
  } else if (type == "Split") {
    out->steps.push_back(ReadSplit(file, part, where));
  } else if (type == "Metaspace") {
    out->steps.push_back(ReadMetaspace(file, part, where));
  } else if (type == "Digits") {
    const bool individual = file.Bool(part, "individual_digits", where, false);
    out->steps.push_back(
        OfClasses(kDigit, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous));
  } else if (type == "Punctuation") {
    const bool said = TokenizerJson::Present(part, "behavior");
    out->steps.push_back(
        OfClasses(kPunctuation, said ? Behavior(file, part, where) : SplitBehavior::kIsolated));
  } else if (type == "WhitespaceSplit") {
    out->steps.push_back(OfClasses(kWhiteSpace, SplitBehavior::kRemoved));
  } else if (type == "BertPreTokenizer") {
    out->steps.push_back(OfClasses(kWhiteSpace, SplitBehavior::kRemoved));
    out->steps.push_back(OfClasses(kPunctuation, SplitBehavior::kIsolated));
  } else if (type == "Whitespace") {  // \w+|[^\w\s]+
    out->steps.push_back(OfClasses(kWhiteSpace, SplitBehavior::kRemoved));
    out->steps.push_back(OfClasses(kWordCharacter, SplitBehavior::kContiguous));
  } else {
    file.FailType(where + ".type", type,
                  "ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, "
                  "BertPreTokenizer or a Sequence of them");
  }
}

DecoderStep ReadDecoderStep(const TokenizerJson& file, const Json& part, const std::string& where) {
  const std::string type = file.Type(part, where);
  DecoderStep step;
  if (type == "ByteLevel") {
    step.kind = DecoderKind::kByteLevel;
  } else if (type == "Metaspace") {
    const PreTokenizerStep same = ReadMetaspace(file, part, where);
    step.kind = DecoderKind::kMetaspace;
    step.content = same.replacement;
    step.drops_first = same.prepend != PrependScheme::kNever;
  } else if (type == "ByteFallback") {
    step.kind = DecoderKind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = DecoderKind::kFuse;
  } else if (type == "Strip") {
    step.kind = DecoderKind::kStrip;
    step.content = file.Character(part, "content", where);
    step.start = file.Count(part, "start", where, 0);
    step.stop = file.Count(part, "stop", where, 0);
  } else if (type == "Replace") {
    step.kind = DecoderKind::kReplace;
    step.pattern = Pattern(file, part, where);
    step.content = file.String(part, "content", where);
  } else if (type == "WordPiece") {
    step.kind = DecoderKind::kWordPiece;
    step.content = file.String(part, "prefix", where, "##");
    step.cleans_up = file.Bool(part, "cleanup", where, true);
  } else if (type == "BPEDecoder") {
    step.kind = DecoderKind::kBpe;
    step.content = file.String(part, "suffix", where, "</w>");
  } else {
    file.FailType(where + ".type", type,
                  "ByteLevel, Metaspace, ByteFallback, Fuse, Strip, Replace, WordPiece, BPEDecoder "
                  "or a Sequence of them");
  }
  return step;
}

// ["[CLS]", 101].
int32_t NamedToken(const TokenizerJson& file, const Json& part, const char* key,
                   const std::string& where) {
  const Json& pair = TokenizerJson::Get(part, key);
  const std::string at = TokenizerJson::Join(where, key);
  if (!pair.is_array() || pair.size() != 2) file.Fail(at, "expected a token and its id");
  return file.Id(pair[1], at);
}

void AppendIds(const TokenizerJson& file, const Json& part, const Json& token,
               const std::string& where, std::vector<int32_t>* ids) {
  const std::string name = file.String(token, "id", where);
  const Json& known = file.Object(file.Object(part, "special_tokens", where), name, where);
  file.ForEach(known, "ids", where, [&](const Json& id, const std::string& at) {
    ids->push_back(file.Id(id, at));
    if (ids->size() > kMostSteps) file.Fail(at, fmt::format("more than {} tokens", kMostSteps));
  });
}

TextEnds ReadTemplate(const TokenizerJson& file, const Json& part, const std::string& where) {
  TextEnds ends;
  int texts = 0;
  file.ForEach(part, "single", where, [&](const Json& piece, const std::string& at) {
    if (TokenizerJson::Present(piece, "Sequence")) {
      ++texts;
      const std::string text = file.String(file.Object(piece, "Sequence", at), "id", at);
      if (text != "A") file.Fail(at, fmt::format("expected the text A, found {}", text));
    } else {
      AppendIds(file, part, file.Object(piece, "SpecialToken", at), at,
                texts == 0 ? &ends.before : &ends.behind);
    }
  });
  if (texts != 1) file.Fail(where + ".single", fmt::format("expected A once, found {}", texts));
  return ends;
}

TextEnds ReadPostProcessorStep(const TokenizerJson& file, const Json& part,
                               const std::string& where) {
  const std::string type = file.Type(part, where);
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return ReadTemplate(file, part, where);
  if (type == "RobertaProcessing" || type == "BertProcessing") {
    return {.before = {NamedToken(file, part, "cls", where)},
            .behind = {NamedToken(file, part, "sep", where)}};
  }
  file.FailType(where + ".type", type,
                "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing or a Sequence of "
                "them");
}

}  // namespace

std::vector<NormalizerStep> ReadNormalizer(const TokenizerJson& file, const Json& part) {
  std::vector<NormalizerStep> steps;
  size_t count = 0;
  if (part.is_null()) return steps;
  ForEachStep(file, part, "normalizers", "normalizer", 0, &count,
              [&](const Json& inner, const std::string& where) {
                if (file.Type(inner, where) == "BertNormalizer") {
                  AddBertNormalizer(file, inner, where, &steps);
                } else {
                  steps.push_back(ReadNormalizerStep(file, inner, where));
                }
              });
  return steps;
}

PreTokenizer ReadPreTokenizer(const TokenizerJson& file, const Json& part) {
  PreTokenizer pre_tokenizer;
  size_t count = 0;
  if (part.is_null()) return pre_tokenizer;
  ForEachStep(file, part, "pretokenizers", "pre_tokenizer", 0, &count,
              [&](const Json& inner, const std::string& where) {
                AddPreTokenizerStep(file, inner, where, &pre_tokenizer);
              });
  return pre_tokenizer;
}

std::vector<DecoderStep> ReadDecoder(const TokenizerJson& file, const Json& part) {
  std::vector<DecoderStep> steps;
  size_t count = 0;
  if (part.is_null()) {
    steps.emplace_back().kind = DecoderKind::kJoin;
    return steps;
  }
  ForEachStep(file, part, "decoders", "decoder", 0, &count,
              [&](const Json& inner, const std::string& where) {
                steps.push_back(ReadDecoderStep(file, inner, where));
              });
  return steps;
}

TextEnds ReadPostProcessor(const TokenizerJson& file, const Json& part) {
  TextEnds ends;
  size_t count = 0;
  if (part.is_null()) return ends;
  ForEachStep(file, part, "processors", "post_processor", 0, &count,
              [&](const Json& inner, const std::string& where) {
                const TextEnds more = ReadPostProcessorStep(file, inner, where);
                if (more.before.empty() && more.behind.empty()) return;
                // The second would take what the first has added for a text of its own.
                if (!ends.before.empty() || !ends.behind.empty())
                  file.Fail(where, "adds tokens, as one before it does: expected one that does");
                ends = more;
              });
  return ends;
}

}  // namespace hone
