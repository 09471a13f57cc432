#include "policy/files/gguf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "policy/files/gguf_byte_level.h"
#include "policy/files/gguf_sentencepiece.h"
#include "policy/files/gguf_vocabulary.h"
#include "policy/text/tokenizer_json.h"

namespace hone {
namespace {

std::string Companion(const ModelFolder& model, const std::string& name) {
  for (const auto& [companion, bytes] : model.companions) {
    if (companion == name) return bytes;
  }
  return "";
}

const Json& Get(const Json& object, const std::string& key) {
  return TokenizerJson::Get(object, key);
}

// Whether what the post-processor puts at an end of a text is the one token that llama.cpp can.
bool AddsToken(const std::vector<int32_t>& ids, const std::optional<int32_t>& token,
               const char* what) {
  if (ids.empty()) return false;
  if (ids.size() == 1 && ids[0] == token) return true;
  RefuseTokenizer(
      "tokenizer.json: post_processor",
      fmt::format("adds [{}], where llama.cpp adds {} or nothing", fmt::join(ids, ", "), what));
}

std::optional<int32_t> SpecialId(const ModelFolder& model, const Json& config, const char* key,
                                 int32_t fallback) {
  Json text = Get(config, key);
  if (text.is_object()) text = Get(text, "content");
  if (text.is_string()) {
    if (const auto id = model.tokenizer->TokenId(text.get<std::string>())) return id;
  }
  return fallback >= 0 ? std::optional(fallback) : std::nullopt;
}

void AddSpecialIds(const ModelFolder& model, const Json& config, GgufMetadata* metadata) {
  const GenerationConfig& generation = model.generation;
  const auto add = [&](const char* key, const std::optional<int32_t>& id) {
    if (id)
      metadata->emplace_back(fmt::format("tokenizer.ggml.{}_token_id", key),
                             static_cast<uint32_t>(*id));
  };
  // Without the key llama.cpp takes token 11 for the end.
  if (generation.eos_token_ids.empty())
    RefuseTokenizer("generation_config.json: eos_token_id",
                    "is missing, and GGUF has no way to say so");
  // The keys by which llama.cpp learns of tokens that end a generation.
  constexpr const char* kEnds[] = {"eos", "eot", "eom"};
  if (generation.eos_token_ids.size() > std::size(kEnds)) {
    RefuseTokenizer("generation_config.json: eos_token_id",
                    fmt::format("has {} ids, GGUF has keys for {}", generation.eos_token_ids.size(),
                                std::size(kEnds)));
  }
  for (size_t i = 0; i < generation.eos_token_ids.size(); ++i)
    add(kEnds[i], generation.eos_token_ids[i]);
  const auto bos = SpecialId(model, config, "bos_token", generation.bos_token_id);
  const auto eos = SpecialId(model, config, "eos_token", generation.eos_token_ids[0]);
  add("bos", bos);
  add("padding", SpecialId(model, config, "pad_token", generation.pad_token_id));
  const TextEnds& ends = model.tokenizer->ends();
  const bool adds_bos = AddsToken(ends.before, bos, "BOS before a text"),
             adds_eos = AddsToken(ends.behind, eos, "EOS behind it");
  if (adds_eos && eos != generation.eos_token_ids[0])
    RefuseTokenizer("tokenizer.json: post_processor",
                    "adds another EOS than generation_config.json's first");
  metadata->emplace_back("tokenizer.ggml.add_bos_token", adds_bos);
  metadata->emplace_back("tokenizer.ggml.add_eos_token", adds_eos);
}

void AddChatTemplates(const ModelFolder& model, const Json& config, GgufMetadata* metadata) {
  const std::string file = Companion(model, "chat_template.jinja");
  const Json& inside = Get(config, "chat_template");
  if (!file.empty() || inside.is_string()) {
    metadata->emplace_back("tokenizer.chat_template",
                           !file.empty() ? file : inside.get<std::string>());
    return;
  }
  std::vector<std::string> names;
  for (const Json& each : inside.is_array() ? inside : Json::array()) {
    const Json &name = Get(each, "name"), &text = Get(each, "template");
    if (!name.is_string() || !text.is_string())
      RefuseTokenizer("tokenizer_config.json: chat_template", "expected names and texts");
    if (name == "default") {
      metadata->emplace_back("tokenizer.chat_template", text.get<std::string>());
    } else {
      names.push_back(name.get<std::string>());
      metadata->emplace_back("tokenizer.chat_template." + names.back(), text.get<std::string>());
    }
  }
  if (!names.empty()) metadata->emplace_back("tokenizer.chat_templates", names);
}

// llama.cpp strips white space behind the added tokens of a model whose name says Phi-3.
void FitName(bool strips_like_phi3, GgufMetadata* metadata) {
  for (auto& [key, value] : *metadata) {
    if (key != "general.name") continue;
    auto& name = std::get<std::string>(value);
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool says_so =
        lower.find("phi-3") != std::string::npos || lower.find("phi3") != std::string::npos;
    if (strips_like_phi3 && !says_so) name = "Phi-3 " + name;
    if (!strips_like_phi3 && says_so) name = "policy";
  }
}

}  // namespace

void AddGgufTokenizer(const ModelFolder& model, GgufMetadata* metadata) {
  if (model.tokenizer == nullptr) RefuseTokenizer("tokenizer.json", "is missing");
  const Json tokenizer = Json::parse(Companion(model, "tokenizer.json"));
  const std::string config_text = Companion(model, "tokenizer_config.json");
  const Json config = config_text.empty() ? Json() : Json::parse(config_text, nullptr, false);
  const Json& bpe = tokenizer["model"];
  if (Get(bpe, "merges").is_null() || !Get(bpe, "vocab").is_object())
    RefuseTokenizer("tokenizer.json: model", "only BPE is written as GGUF");
  GgufVocabulary vocabulary = ListGgufTokens(tokenizer, model.config.vocab_size);
  FitName(vocabulary.strips_like_phi3, metadata);
  if (Get(bpe, "byte_fallback") == true) {
    AddSentencePieceBpe(model, tokenizer, std::move(vocabulary), metadata);
  } else {
    AddByteLevelBpe(model, tokenizer, std::move(vocabulary), metadata);
  }
  AddSpecialIds(model, config, metadata);
  AddChatTemplates(model, config, metadata);
}

}  // namespace hone
