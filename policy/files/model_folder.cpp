#include "policy/files/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/error.h"
#include "common/file.h"
#include "policy/text/special_tokens.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr std::array kCompanions = {"config.json",
                                    "tokenizer.json",
                                    "tokenizer_config.json",
                                    "generation_config.json",
                                    "special_tokens_map.json",
                                    "chat_template.jinja"};

int32_t ReadId(const Json& value, const std::string& key, const ModelConfig& config,
               const fs::path& path) {
  if (value == -1) return -1;  // some configs' word for none
  const int64_t id = value.is_number_integer() ? value.get<int64_t>() : -1;
  if (id < 0 || id >= config.vocab_size) {
    throw FileError(path.string(), key,
                    fmt::format("expected a token id below vocab_size {}, found {}",
                                config.vocab_size, Dump(value)));
  }
  return static_cast<int32_t>(id);
}

// Takes what `json` says of the ids that `config` still lacks.
void ReadIds(const Json& json, const fs::path& path, const ModelConfig& model,
             GenerationConfig* config) {
  if (!json.is_object()) throw FileError(path.string(), "", "expected a JSON object");
  const auto get = [&](const char* key) { return json.contains(key) ? json.at(key) : Json(); };
  if (const Json eos = get("eos_token_id"); config->eos_token_ids.empty() && !eos.is_null()) {
    for (const Json& id : eos.is_array() ? eos : Json::array({eos})) {
      const int32_t value = ReadId(id, "eos_token_id", model, path);
      if (value >= 0) config->eos_token_ids.push_back(value);
    }
  }
  const auto one = [&](const char* key, int32_t* id) {
    if (const Json value = get(key); *id < 0 && !value.is_null())
      *id = ReadId(value, key, model, path);
  };
  one("pad_token_id", &config->pad_token_id);
  one("bos_token_id", &config->bos_token_id);
}

// config.json naming the type of the weights beside it: a reader would narrow or widen them to
// another. transformers 5 writes "dtype", 4 "torch_dtype".
std::string WithDtype(const std::string& config_json, FloatType type) {
  const char* name = type == FloatType::kF32   ? "float32"
                     : type == FloatType::kF16 ? "float16"
                                               : "bfloat16";
  OrderedJson config = OrderedJson::parse(config_json);
  const bool old = config.contains("torch_dtype");
  bool changed = false;
  for (const char* key : {"dtype", "torch_dtype"}) {
    const bool wanted = config.contains(key) || (!old && std::string_view(key) == "dtype");
    if (!wanted || (config.contains(key) && config[key] == name)) continue;
    config[key] = name;
    changed = true;
  }
  return changed ? config.dump(2) + "\n" : config_json;
}

// The id of the tokenizer's "eos_token", if it names a token that there is.
std::optional<int32_t> TokenizerEos(const fs::path& folder, const Tokenizer& tokenizer) {
  const SpecialTokens tokens = ReadSpecialTokens(folder);
  const auto eos = tokens.find("eos_token");
  return eos == tokens.end() ? std::nullopt : tokenizer.TokenId(eos->second);
}

}  // namespace

GenerationConfig ReadGenerationConfig(const fs::path& generation_json, const fs::path& config_json,
                                      const ModelConfig& config) {
  GenerationConfig generation;
  if (fs::exists(generation_json))
    ReadIds(ReadJson(generation_json), generation_json, config, &generation);
  ReadIds(ReadJson(config_json), config_json, config, &generation);
  return generation;
}

void CheckVocabulary(const Tokenizer& tokenizer, const fs::path& tokenizer_json,
                     const ModelConfig& config) {
  if (tokenizer.vocab_size() <= config.vocab_size) return;
  throw FileError(tokenizer_json.string(), "",
                  fmt::format("has ids up to {}, but the model's vocab_size is {}",
                              tokenizer.vocab_size() - 1, config.vocab_size));
}

ModelFolder LoadModelFolder(const fs::path& path, bool with_weights, int threads) {
  if (!fs::is_directory(path))
    throw FileError(path.string(), "", "expected a folder with config.json");
  ModelFolder model;
  model.path = path;
  const fs::path config_json = path / "config.json", tokenizer_json = path / "tokenizer.json";
  model.config = ParseModelConfig(ReadJson(config_json), config_json);
  model.layout = MakeLayout(model.config);
  model.generation =
      ReadGenerationConfig(path / "generation_config.json", config_json, model.config);
  if (fs::exists(tokenizer_json)) {
    model.tokenizer = Tokenizer::Load(tokenizer_json);
    CheckVocabulary(*model.tokenizer, tokenizer_json, model.config);
    // As vLLM and TRL end generations; transformers' generate() would go on to the last token.
    if (model.generation.eos_token_ids.empty()) {
      if (const auto eos = TokenizerEos(path, *model.tokenizer))
        model.generation.eos_token_ids = {*eos};
    }
  }
  for (const char* name : kCompanions) {
    if (fs::exists(path / name)) model.companions.emplace_back(name, ReadFile(path / name));
  }
  if (with_weights) model.weights = ReadWeights(path, model.config, model.layout, threads);
  return model;
}

void WriteModelFiles(const fs::path& folder, const ModelFolder& model, const WeightsLayout& layout,
                     std::span<const float> data, const WeightsFormat& format) {
  for (const auto& [name, bytes] : model.companions) {
    FileWriter writer(folder / name);
    writer.Write(name == "config.json" ? WithDtype(bytes, format.type) : bytes);
    writer.Close();
  }
  WriteWeights(folder, layout, data, format);
}

}  // namespace hone
