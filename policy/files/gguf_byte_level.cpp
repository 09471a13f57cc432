#include "policy/files/gguf_byte_level.h"

#include <fmt/format.h>

#include <utility>

#include "common/log.h"
#include "policy/text/byte_level.h"
#include "policy/text/tokenizer_json.h"

namespace hone {
namespace {

// The split of Qwen2's tokenizer.json, and that of Llama 3's: digits alone, or up to three.
constexpr const char* kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The pre-tokenizers of tokenizer.json that llama.cpp has under a name.
struct PreTokenizerName {
  std::vector<std::string> steps;  // as StepName() says them
  bool ignore_merges;
  const char* name;
};
const std::vector<PreTokenizerName>& KnownPreTokenizers() {
  static const std::vector<PreTokenizerName> known = {
      {{"gpt2"}, false, "gpt-2"},
      {{"digits", "gpt2"}, false, "smollm"},
      {{std::string("split ") + kQwen2Split, "bytes"}, false, "qwen2"},
      {{std::string("split ") + kLlama3Split, "bytes"}, true, "llama-bpe"},
      {{std::string("split ") + kLlama3Split, "bytes"}, false, "dbrx"},
  };
  return known;
}

const Json& Get(const Json& object, const char* key) { return TokenizerJson::Get(object, key); }

// A step in the words of KnownPreTokenizers.
std::string StepName(const Json& step) {
  const Json& type = Get(step, "type");
  if (type == "ByteLevel" && Get(step, "add_prefix_space") == false)
    return Get(step, "use_regex") == false ? "bytes" : "gpt2";
  if (type == "Digits" && Get(step, "individual_digits") == true) return "digits";
  const Json& regex = Get(Get(step, "pattern"), "Regex");
  if (type == "Split" && regex.is_string() && Get(step, "behavior") == "Isolated" &&
      Get(step, "invert") != true) {
    return "split " + regex.get<std::string>();
  }
  return Dump(step);
}

void ListSteps(const Json& step, std::vector<std::string>* steps) {
  if (Get(step, "type") != "Sequence") return steps->push_back(StepName(step));
  for (const Json& inner : Get(step, "pretokenizers")) ListSteps(inner, steps);
}

std::string PreTokenizerId(const Json& tokenizer) {
  std::vector<std::string> steps;
  ListSteps(Get(tokenizer, "pre_tokenizer"), &steps);
  const bool ignore_merges = Get(Get(tokenizer, "model"), "ignore_merges") == true;
  for (const PreTokenizerName& known : KnownPreTokenizers()) {
    if (known.steps == steps && known.ignore_merges == ignore_merges) return known.name;
  }
  RefuseTokenizer("tokenizer.json: pre_tokenizer",
                  fmt::format("llama.cpp has no name for [{}]{}", fmt::join(steps, ", "),
                              ignore_merges ? " with ignore_merges" : ""));
}

void CheckModel(const Json& tokenizer) {
  if (!Get(tokenizer["model"], "unk_token").is_null())
    RefuseTokenizer("tokenizer.json: model.unk_token", "llama.cpp's byte-level BPE has none");
  const Json& normalizer = Get(tokenizer, "normalizer");
  if (normalizer.is_null()) return;
  if (Get(normalizer, "type") != "NFC") {
    RefuseTokenizer("tokenizer.json: normalizer",
                    fmt::format("llama.cpp has no {}", Dump(normalizer)));
  }
  spdlog::warn(
      "tokenizer.json: llama.cpp does not normalise: a text that is not in normal form C gives "
      "it other tokens");
}

std::vector<std::string> WriteMerges(const Json& model) {
  std::vector<std::string> written;
  for (const auto& [left, right] : ListMerges(model)) {
    if ((left + right).find(' ') != std::string::npos) {
      RefuseTokenizer("tokenizer.json: model.merges",
                      fmt::format("{} holds a space", Dump(Json{left, right})));
    }
    written.push_back(left + " " + right);
  }
  return written;
}

}  // namespace

void AddByteLevelBpe(const ModelFolder& model, const Json& tokenizer, GgufVocabulary vocabulary,
                     GgufMetadata* metadata) {
  CheckModel(tokenizer);
  for (size_t id = 0; id < vocabulary.texts.size(); ++id) {
    if (vocabulary.types[id] == kGgufNormal && !BytesOfSymbols(vocabulary.texts[id])) {
      RefuseTokenizer(fmt::format("tokenizer.json: the token {}", Dump(Json(vocabulary.texts[id]))),
                      "is not written in the alphabet of byte-level BPE");
    }
  }
  CheckGgufDecoder(model, vocabulary,
                   [](const std::string& token) { return *BytesOfSymbols(token); });
  metadata->emplace_back("tokenizer.ggml.model", std::string("gpt2"));
  metadata->emplace_back("tokenizer.ggml.pre", PreTokenizerId(tokenizer));
  metadata->emplace_back("tokenizer.ggml.tokens", std::move(vocabulary.texts));
  metadata->emplace_back("tokenizer.ggml.token_type", std::move(vocabulary.types));
  metadata->emplace_back("tokenizer.ggml.merges", WriteMerges(tokenizer["model"]));
}

}  // namespace hone
