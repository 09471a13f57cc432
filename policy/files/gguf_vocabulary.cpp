#include "policy/files/gguf_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "common/error.h"
#include "policy/text/tokenizer_json.h"

namespace hone {
namespace {

bool Flag(const Json& token, const char* key) { return TokenizerJson::Get(token, key) == true; }

std::string PlaceOf(std::string_view content) {
  return fmt::format("tokenizer.json: added token {}", Dump(Json(content)));
}

// llama.cpp knows of one case in which white space behind tokens goes: models that are named Phi-3,
// and there behind all added tokens but three, which must be there.
bool StripsLikePhi3(const Json& added) {
  std::unordered_set<std::string> plain = {"<unk>", "<s>", "<|endoftext|>"};
  bool end = false;
  for (const Json& token : added) {
    const auto content = token["content"].get<std::string>();
    if (Flag(token, "rstrip") == (plain.erase(content) > 0)) return false;
    end |= content == "</s>";
  }
  return end && plain.empty();
}

bool CheckFlags(const Json& added) {
  const bool like_phi3 = StripsLikePhi3(added);
  for (const Json& token : added) {
    for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
      if (!Flag(token, flag) || (like_phi3 && std::string_view(flag) == "rstrip")) continue;
      RefuseTokenizer(PlaceOf(token["content"].get<std::string>()),
                      fmt::format("llama.cpp has no {}", flag));
    }
  }
  return like_phi3;
}

// Where two tokens overlap in a text, Hugging Face takes the first of them, llama.cpp the longer
// one (of two as long as each other, either). They agree where a third, at least as long as both,
// begins with the first, as in runs of line breaks.
void CheckOverlaps(std::vector<std::string> tokens) {
  std::sort(tokens.begin(), tokens.end());
  const auto starts_with_one_of = [&](std::string_view text, size_t least) {
    for (size_t size = least; size <= text.size(); ++size) {
      if (std::binary_search(tokens.begin(), tokens.end(), text.substr(0, size))) return true;
    }
    return false;
  };
  for (const std::string& first : tokens) {
    for (size_t at = 1; at < first.size(); ++at) {
      const std::string_view shared = std::string_view(first).substr(at);
      auto second = std::lower_bound(tokens.begin(), tokens.end(), shared);
      for (; second != tokens.end() && second->starts_with(shared); ++second) {
        if (second->size() < first.size() || *second == first || second->size() == shared.size())
          continue;
        const std::string both = first.substr(0, at) + *second;
        if (starts_with_one_of(both, second->size() + (second->size() == first.size()))) continue;
        RefuseTokenizer(PlaceOf(first),
                        fmt::format("overlaps with {}, of which llama.cpp finds the longer first",
                                    Dump(Json(*second))));
      }
    }
  }
}

}  // namespace

void RefuseTokenizer(const std::string& where, const std::string& message) {
  throw UsageError(fmt::format("--format gguf: {}: {}; export the policy as hf", where, message));
}

GgufVocabulary ListGgufTokens(const Json& tokenizer, int64_t rows) {
  GgufVocabulary all;
  all.texts.resize(static_cast<size_t>(rows));
  all.types.assign(static_cast<size_t>(rows), kGgufUnused);
  for (const auto& [piece, id] : tokenizer["model"]["vocab"].items()) {
    all.texts[id.get<size_t>()] = piece;
    all.types[id.get<size_t>()] = kGgufNormal;
  }
  const Json& added = TokenizerJson::Get(tokenizer, "added_tokens");
  all.strips_like_phi3 = CheckFlags(added);
  std::vector<std::string> contents;
  for (const Json& token : added) {
    const auto id = token["id"].get<size_t>();
    const auto content = token["content"].get<std::string>();
    if (content.empty()) continue;
    all.texts[id] = content;
    all.types[id] = Flag(token, "special") ? kGgufControl : kGgufUserDefined;
    contents.push_back(content);
  }
  CheckOverlaps(std::move(contents));
  std::unordered_set<std::string> seen;
  for (size_t id = 0; id < all.texts.size(); ++id) {
    // Rows that no token has, by which a vocabulary is filled up to a round number.
    if (all.types[id] == kGgufUnused) all.texts[id] = fmt::format("[PAD{}]", id);
    if (!seen.insert(all.texts[id]).second) {
      RefuseTokenizer("tokenizer.json",
                      fmt::format("two tokens are written {}", Dump(Json(all.texts[id]))));
    }
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> ListMerges(const Json& model) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const Json& merge : model["merges"]) {
    if (merge.is_array()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else if (const auto text = merge.get<std::string>(); !text.starts_with("#version")) {
      const size_t space = text.find(' ');
      merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    }
  }
  return merges;
}

void CheckGgufDecoder(const ModelFolder& model, const GgufVocabulary& vocabulary,
                      std::string (*text_of)(const std::string& written)) {
  for (size_t id = 0; id < vocabulary.texts.size(); ++id) {
    const int32_t type = vocabulary.types[id];
    if (type == kGgufUnused || type == kGgufControl || type == kGgufUnknown) continue;
    const std::string& written = vocabulary.texts[id];
    const std::string theirs = type == kGgufUserDefined ? written : text_of(written);
    const std::string_view ours = model.tokenizer->Bytes(static_cast<int32_t>(id));
    if (ours == theirs) continue;
    RefuseTokenizer("tokenizer.json: decoder",
                    fmt::format("makes {} of the token {}, llama.cpp {}", Dump(Json(ours)),
                                Dump(Json(written)), Dump(Json(theirs))));
  }
}

}  // namespace hone
