#include "policy/files/gguf_sentencepiece.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "policy/files/gguf_space_prefix.h"
#include "policy/text/tokenizer_json.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

const Json& Get(const Json& object, const char* key) { return TokenizerJson::Get(object, key); }

std::string Quote(std::string_view text) { return Dump(Json(text)); }

// The byte that "<0x41>" stands for.
std::optional<uint8_t> ByteOf(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  uint8_t byte = 0;
  const auto end = std::from_chars(&token[3], &token[5], byte, 16).ptr;
  if (end != &token[5] || fmt::format("<0x{:02X}>", byte) != token) return std::nullopt;
  return byte;
}

// What llama.cpp shows of a token.
std::string TextOf(const std::string& token) {
  if (const auto byte = ByteOf(token)) return std::string(1, static_cast<char>(*byte));
  std::string text;
  for (size_t at = 0; at < token.size();) {
    const bool space = token.compare(at, kGgufSpace.size(), kGgufSpace) == 0;
    text += space ? ' ' : token[at];
    at += space ? kGgufSpace.size() : 1;
  }
  return text;
}

void SetTypes(const Json& tokenizer, GgufVocabulary* vocabulary) {
  const Json& unknown = Get(tokenizer["model"], "unk_token");
  int bytes = 0;
  for (size_t id = 0; id < vocabulary->texts.size(); ++id) {
    const std::string& text = vocabulary->texts[id];
    int32_t& type = vocabulary->types[id];
    if (type == kGgufNormal && ByteOf(text)) {
      type = kGgufByte;
      ++bytes;
    }
    if (unknown == text) type = kGgufUnknown;
    // Runs of spaces, which llama.cpp would show as they are written. It makes them by merging.
    if (type == kGgufUserDefined && text.find(kGgufSpace) != std::string::npos) type = kGgufNormal;
  }
  if (bytes != 256) {
    RefuseTokenizer("tokenizer.json: model.vocab",
                    fmt::format("has {} of the 256 bytes, \"<0x00>\" to \"<0xFF>\", that llama.cpp "
                                "falls back on",
                                bytes));
  }
}

// Scores that make llama.cpp merge as the file says.
class MergeOrder {
 public:
  MergeOrder(const Json& model, const GgufVocabulary& vocabulary) : vocabulary_(vocabulary) {
    if (Get(model, "ignore_merges") == true)
      RefuseTokenizer("tokenizer.json: model.ignore_merges", "llama.cpp has it not here");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json& affix = Get(model, key);
      if (!affix.is_null() && affix != "")
        RefuseTokenizer(fmt::format("tokenizer.json: model.{}", key), "llama.cpp has none");
    }
    for (size_t id = 0; id < vocabulary.texts.size(); ++id) ids_.emplace(vocabulary.texts[id], id);
    rank_.assign(vocabulary.texts.size(), -1);
    RankTokens(ListMerges(model));
    CheckNoneIsMissing();
  }

  std::vector<float> Scores() const {
    std::vector<float> scores;
    for (const int32_t rank : rank_)
      scores.push_back(static_cast<float>(rank < 0 ? -ranks_ : -rank));
    return scores;
  }

 private:
  // Two texts, apart.
  static std::string Pair(std::string_view left, std::string_view right) {
    return fmt::format("{}\n{}{}", left.size(), left, right);
  }

  void RankTokens(const std::vector<std::pair<std::string, std::string>>& merges) {
    size_t last = vocabulary_.texts.size();
    for (const auto& [left, right] : merges) {
      const size_t made = ids_.at(left + right);
      if (made != last) {
        if (rank_[made] >= 0) {
          RefuseTokenizer("tokenizer.json: model.merges",
                          fmt::format("those that make {} stand apart, where llama.cpp has one "
                                      "score of a token",
                                      Quote(left + right)));
        }
        rank_[made] = ranks_++;
        last = made;
      }
      merges_.insert(Pair(left, right));
    }
  }

  // What can stand beside another when a text is merged: a character, or a token that merges make.
  bool IsSymbol(std::string_view text) const {
    size_t end = 0;
    NextCodePoint(text, &end);
    if (end == text.size()) return true;
    const auto found = ids_.find(text);
    return found != ids_.end() && IsMade(found->second);
  }
  // Added tokens are cut out of a text before it is merged.
  bool IsMade(size_t id) const {
    const int32_t type = vocabulary_.types[id];
    return type == kGgufNormal || type == kGgufByte || type == kGgufUnused;
  }

  void CheckNoneIsMissing() const {
    for (size_t id = 0; id < vocabulary_.texts.size(); ++id) {
      if (!IsMade(id)) continue;
      const std::string_view text = vocabulary_.texts[id];
      for (size_t at = 0; NextCodePoint(text, &at), at < text.size();) {
        const std::string_view left = text.substr(0, at), right = text.substr(at);
        if (!IsSymbol(left) || !IsSymbol(right) || merges_.contains(Pair(left, right))) continue;
        RefuseTokenizer("tokenizer.json: model.merges",
                        fmt::format("{} and {} are not merged to {}, as llama.cpp would do",
                                    Quote(left), Quote(right), Quote(text)));
      }
    }
  }

  const GgufVocabulary& vocabulary_;
  std::unordered_map<std::string_view, size_t> ids_;
  std::unordered_set<std::string> merges_;
  std::vector<int32_t> rank_;  // by id; -1: no merge makes it
  int32_t ranks_ = 0;
};

}  // namespace

void AddSentencePieceBpe(const ModelFolder& model, const Json& tokenizer, GgufVocabulary vocabulary,
                         GgufMetadata* metadata) {
  const bool space_prefix = GgufSpacePrefix(model, tokenizer);
  SetTypes(tokenizer, &vocabulary);
  std::vector<float> scores = MergeOrder(tokenizer["model"], vocabulary).Scores();
  CheckGgufDecoder(model, vocabulary, TextOf);
  metadata->emplace_back("tokenizer.ggml.model", std::string("llama"));
  metadata->emplace_back("tokenizer.ggml.pre", std::string("default"));
  const Json& unknown = Get(tokenizer["model"], "unk_token");
  for (size_t id = 0; id < vocabulary.texts.size(); ++id) {
    if (unknown != vocabulary.texts[id]) continue;
    metadata->emplace_back("tokenizer.ggml.unknown_token_id", static_cast<uint32_t>(id));
  }
  metadata->emplace_back("tokenizer.ggml.tokens", std::move(vocabulary.texts));
  metadata->emplace_back("tokenizer.ggml.scores", std::move(scores));
  metadata->emplace_back("tokenizer.ggml.token_type", std::move(vocabulary.types));
  metadata->emplace_back("tokenizer.ggml.add_space_prefix", space_prefix);
}

}  // namespace hone
