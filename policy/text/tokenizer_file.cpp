#include "policy/text/tokenizer_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <unordered_set>

#include "common/error.h"
#include "common/json.h"
#include "policy/text/byte_level.h"

namespace hone {
namespace {

// GPT-2's split, built into the ByteLevel pre-tokenizer. Source: openai/gpt-2, encoder.py.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path.string()) {}

  TokenizerFile Run() {
    const Json json = ReadJson(path_);
    if (!json.is_object()) Fail("", "expected a JSON object");
    const std::string version = json.contains("version") ? String(json, "version", "") : "1.0";
    if (version != "1.0") Fail("version", fmt::format("expected \"1.0\", found \"{}\"", version));
    if (!Present(json, "model")) Fail("model", "is missing: this is no tokenizer.json");
    ReadModel(Object(json, "model", ""));
    ReadNormalizer(Get(json, "normalizer"), "normalizer");
    ReadPreTokenizer(json);
    CheckDecoder(Get(json, "decoder"), "decoder");
    CheckPostProcessor(Get(json, "post_processor"), "post_processor");
    ReadAddedTokens(Get(json, "added_tokens"));
    CheckIds();
    CheckMerges();
    return std::move(file_);
  }

 private:
  [[noreturn]] void Fail(const std::string& where, const std::string& message) const {
    throw FileError(path_, where, message);
  }

  // null when the key is missing.
  static const Json& Get(const Json& object, const std::string& key) {
    static const Json kNull;
    const auto found = object.find(key);
    return found == object.end() ? kNull : *found;
  }
  static bool Present(const Json& object, const std::string& key) {
    return !Get(object, key).is_null();
  }
  static std::string Join(const std::string& where, const std::string& key) {
    return where.empty() ? key : where + "." + key;
  }

  const Json& Object(const Json& json, const std::string& key, const std::string& where) const {
    const Json& value = Get(json, key);
    if (!value.is_object()) Fail(Join(where, key), "expected an object");
    return value;
  }
  std::string String(const Json& json, const std::string& key, const std::string& where) const {
    const Json& value = Get(json, key);
    if (!value.is_string()) Fail(Join(where, key), "expected a string");
    return value.get<std::string>();
  }
  bool Bool(const Json& json, const std::string& key, const std::string& where,
            bool fallback) const {
    const Json& value = Get(json, key);
    if (value.is_null()) return fallback;
    if (!value.is_boolean()) Fail(Join(where, key), "expected true or false");
    return value.get<bool>();
  }
  int32_t Id(const Json& value, const std::string& where) const {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) {
      Fail(where, fmt::format("expected an id from 0 to 2147483647, found {}", Dump(value)));
    }
    return static_cast<int32_t>(value.get<uint64_t>());
  }
  // The "type" of a part such as a normalizer.
  std::string Type(const Json& json, const std::string& where) const {
    if (!json.is_object()) Fail(where, "expected an object");
    return String(json, "type", where);
  }
  [[noreturn]] void FailType(const std::string& where, const std::string& type,
                             const std::string& known) const {
    Fail(where, fmt::format("{} is not supported; expected {}", type, known));
  }

  void ReadModel(const Json& model) {
    // Files written before the models were told apart have no type; their keys still tell.
    const std::string type = Present(model, "type") ? String(model, "type", "model") : "BPE";
    if (type != "BPE") Fail("model.type", fmt::format("expected BPE (byte-level), found {}", type));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json& affix = Get(model, key);
      if (!affix.is_null() && affix != "") Fail(fmt::format("model.{}", key), "is not supported");
    }
    if (Bool(model, "byte_fallback", "model", false)) {
      Fail("model.byte_fallback", "is not supported: expected byte-level BPE");
    }
    const Json& dropout = Get(model, "dropout");
    if (!dropout.is_null() && dropout != 0)
      Fail("model.dropout", "is not supported: it makes ids random");
    for (const auto& [piece, id] : Object(model, "vocab", "model").items()) {
      file_.vocabulary.emplace(piece, Id(id, fmt::format("model.vocab[{}]", Quote(piece))));
    }
    file_.ignore_merges = Bool(model, "ignore_merges", "model", false);
    file_.fuse_unknown = Bool(model, "fuse_unk", "model", false);
    if (Present(model, "unk_token")) {
      file_.unknown_id = Piece(String(model, "unk_token", "model"), "model.unk_token");
    }
    ReadMerges(Get(model, "merges"));
  }

  static std::string Quote(const std::string& text) { return Dump(Json(text)); }

  int32_t Piece(const std::string& piece, const std::string& where) const {
    const auto found = file_.vocabulary.find(piece);
    if (found == file_.vocabulary.end())
      Fail(where, fmt::format("{} is not in model.vocab", Quote(piece)));
    return found->second;
  }

  void ReadMerges(const Json& merges) {
    if (!merges.is_array())
      Fail("model.merges", "is missing: a byte-level BPE tokenizer has an array here");
    file_.merges.Reserve(merges.size());
    int32_t rank = 0;
    for (size_t i = 0; i < merges.size(); ++i) {
      const std::string where = fmt::format("model.merges[{}]", i);
      std::string left, right;
      if (merges[i].is_string()) {
        const std::string text = merges[i].get<std::string>();
        if (text.starts_with("#version"))
          continue;  // the head of merges.txt, carried over by old files
        const size_t space = text.find(' ');
        if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
          Fail(where,
               fmt::format("expected two pieces with a space between, found {}", Quote(text)));
        }
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else if (merges[i].is_array() && merges[i].size() == 2 && merges[i][0].is_string() &&
                 merges[i][1].is_string()) {
        left = merges[i][0].get<std::string>();
        right = merges[i][1].get<std::string>();
      } else {
        Fail(where, "expected \"left right\" or [\"left\", \"right\"]");
      }
      const int32_t left_id = Piece(left, where), right_id = Piece(right, where);
      file_.merges.Add(left_id, right_id, rank++, Piece(left + right, where));
    }
    merges_ = rank;
  }

  void ReadNormalizer(const Json& json, const std::string& where) {
    if (json.is_null()) return;
    const std::string type = Type(json, where);
    if (type == "NFC") {
      file_.normal_form_c = true;
    } else if (type == "Sequence") {
      ForEach(json, "normalizers", where,
              [&](const Json& part, const std::string& at) { ReadNormalizer(part, at); });
    } else {
      FailType(where + ".type", type, "NFC or null");
    }
  }

  template <class Handle>
  void ForEach(const Json& json, const std::string& key, const std::string& where,
               Handle handle) const {
    const Json& list = Get(json, key);
    if (!list.is_array()) Fail(Join(where, key), "expected an array");
    for (size_t i = 0; i < list.size(); ++i)
      handle(list[i], fmt::format("{}.{}[{}]", where, key, i));
  }

  void ReadPreTokenizer(const Json& json) {
    const Json& part = Get(json, "pre_tokenizer");
    if (!part.is_null()) AddStep(part, "pre_tokenizer");
    if (!byte_level_)
      Fail("pre_tokenizer", "expected ByteLevel, alone or at the end of a Sequence");
  }

  void AddStep(const Json& json, const std::string& where) {
    const std::string type = Type(json, where);
    if (byte_level_) Fail(where, fmt::format("{} after ByteLevel is not supported", type));
    PreTokenizerStep step;
    if (type == "Sequence") {
      return ForEach(json, "pretokenizers", where,
                     [&](const Json& part, const std::string& at) { AddStep(part, at); });
    } else if (type == "ByteLevel") {
      byte_level_ = true;
      step.add_prefix_space = Bool(json, "add_prefix_space", where, true);
      if (Bool(json, "use_regex", where, true)) step.pattern = SplitPattern(kGpt2Pattern);
    } else if (type == "Digits") {
      step.pattern = SplitPattern(R"(\p{N})");
      const bool individual = Bool(json, "individual_digits", where, false);
      step.behavior = individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    } else if (type == "Split") {
      step.pattern = Pattern(Object(json, "pattern", where), where + ".pattern");
      step.behavior = Behavior(String(json, "behavior", where), where + ".behavior");
      step.invert = Bool(json, "invert", where, false);
    } else {
      FailType(where + ".type", type, "ByteLevel, Split, Digits or a Sequence of them");
    }
    file_.pre_tokenizer.push_back(std::move(step));
  }

  SplitPattern Pattern(const Json& json, const std::string& where) const {
    if (json.contains("String")) return SplitPattern::Literal(String(json, "String", where));
    try {
      return SplitPattern(String(json, "Regex", where));
    } catch (const std::invalid_argument& error) {
      Fail(where + ".Regex", error.what());
    }
  }

  SplitBehavior Behavior(const std::string& name, const std::string& where) const {
    if (name == "Removed") return SplitBehavior::kRemoved;
    if (name == "Isolated") return SplitBehavior::kIsolated;
    if (name == "Contiguous") return SplitBehavior::kContiguous;
    if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
    if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
    FailType(where, name, "Removed, Isolated, Contiguous, MergedWithPrevious or MergedWithNext");
  }

  void CheckDecoder(const Json& json, const std::string& where) const {
    if (json.is_null()) Fail(where, "is missing: expected ByteLevel");
    const std::string type = Type(json, where);
    const Json& parts = Get(json, "decoders");
    if (type == "Sequence" && parts.is_array() && parts.size() == 1)
      return CheckDecoder(parts[0], where);
    if (type != "ByteLevel") FailType(where + ".type", type, "ByteLevel");
  }

  // They add tokens that the text does not hold, which is not Encode's task, or move offsets.
  void CheckPostProcessor(const Json& json, const std::string& where) const {
    if (json.is_null()) return;
    const std::string type = Type(json, where);
    if (type == "Sequence") {
      return ForEach(json, "processors", where, [&](const Json& part, const std::string& at) {
        CheckPostProcessor(part, at);
      });
    }
    if (type != "ByteLevel" && type != "TemplateProcessing" && type != "RobertaProcessing" &&
        type != "BertProcessing") {
      FailType(where + ".type", type, "ByteLevel or TemplateProcessing");
    }
  }

  void ReadAddedTokens(const Json& list) {
    if (list.is_null()) return;
    if (!list.is_array()) Fail("added_tokens", "expected an array");
    std::unordered_set<std::string> seen;
    // Hugging Face's loader numbers tokens itself, after the vocabulary; the file must say the
    // same.
    auto next = static_cast<int32_t>(file_.vocabulary.size());
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string where = fmt::format("added_tokens[{}]", i);
      if (!list[i].is_object()) Fail(where, "expected an object");
      AddedToken token;
      token.id = Id(Get(list[i], "id"), where + ".id");
      token.content = String(list[i], "content", where);
      token.special = Bool(list[i], "special", where, false);
      token.lstrip = Bool(list[i], "lstrip", where, false);
      token.rstrip = Bool(list[i], "rstrip", where, false);
      token.single_word = Bool(list[i], "single_word", where, false);
      token.normalized = Bool(list[i], "normalized", where, true);
      if (token.content.empty()) continue;  // could never be found
      if (!seen.insert(token.content).second)
        Fail(where, fmt::format("{} stands here twice", Quote(token.content)));
      const auto known = file_.vocabulary.find(token.content);
      const int32_t expected = known != file_.vocabulary.end() ? known->second : next++;
      if (token.id != expected) {
        Fail(where + ".id",
             fmt::format(
                 "{} has the id {}, expected {} ({})", Quote(token.content), token.id, expected,
                 known != file_.vocabulary.end() ? "as in model.vocab" : "the next one free"));
      }
      file_.added_tokens.push_back(std::move(token));
    }
  }

  void CheckIds() const {
    std::unordered_map<int32_t, const std::string*> owner;
    // Vocabularies have few gaps; a table by id must not become larger than the file suggests.
    const size_t tokens = file_.vocabulary.size() + file_.added_tokens.size();
    const size_t limit = 2 * tokens + (1 << 16);
    const auto claim = [&](const std::string& content, int32_t id) {
      if (static_cast<size_t>(id) >= limit) {
        Fail("model.vocab", fmt::format("the id {} of {} is out of range: the file holds {} tokens",
                                        id, Quote(content), tokens));
      }
      const auto [at, is_new] = owner.emplace(id, &content);
      if (!is_new && *at->second != content) {
        Fail("model.vocab", fmt::format("the id {} is used twice: for {} and for {}", id,
                                        Quote(std::min(*at->second, content)),
                                        Quote(std::max(*at->second, content))));
      }
    };
    for (const auto& [piece, id] : file_.vocabulary) claim(piece, id);
    for (const AddedToken& token : file_.added_tokens) claim(token.content, token.id);
  }

  // A vocabulary of words without a merge that makes them is a tokenizer that lost its merges.
  void CheckMerges() const {
    if (merges_ > 0) return;
    std::unordered_set<std::string_view> added;
    for (const AddedToken& token : file_.added_tokens) added.insert(token.content);
    for (const auto& [piece, id] : file_.vocabulary) {
      const auto bytes = BytesOfSymbols(piece);
      const bool one_byte = bytes && bytes->size() == 1;
      if (!one_byte && !added.contains(piece) && file_.unknown_id != id) {
        Fail("model.merges",
             fmt::format("is empty, but {} (id {}) can only come from a merge", Quote(piece), id));
      }
    }
  }

  std::string path_;
  TokenizerFile file_;
  bool byte_level_ = false;
  int32_t merges_ = 0;
};

}  // namespace

TokenizerFile ReadTokenizerFile(const std::filesystem::path& path) { return Reader(path).Run(); }

}  // namespace hone
