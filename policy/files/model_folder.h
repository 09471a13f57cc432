// A policy as a Hugging Face folder: config.json, model.safetensors (or shards with an index),
// tokenizer.json, tokenizer_config.json, generation_config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "policy/files/checkpoint_tensors.h"
#include "policy/model/config.h"
#include "policy/model/weights.h"
#include "policy/text/tokenizer.h"

namespace hone {

struct GenerationConfig {
  std::vector<int32_t> eos_token_ids;  // generation ends at any of them; may be empty
  int32_t pad_token_id = -1;           // -1: none
  int32_t bos_token_id = -1;
};

struct ModelFolder {
  std::filesystem::path path;
  ModelConfig config;
  WeightsLayout layout;
  std::shared_ptr<const Weights> weights;      // version 0, fp32
  std::shared_ptr<const Tokenizer> tokenizer;  // null when the folder has no tokenizer.json
  // generation_config.json, else config.json's ids; where neither has an EOS, the tokenizer's.
  GenerationConfig generation;
  // Files carried over as they are to every checkpoint and export (config.json, tokenizer.json,
  // tokenizer_config.json, generation_config.json, special_tokens_map.json, chat_template.jinja).
  std::vector<std::pair<std::string, std::string>> companions;  // name, bytes
};

// Parses config.json. Throws FileError naming the key for an unsupported architecture or setting.
ModelConfig ParseModelConfig(const Json& json, const std::filesystem::path& path);

// The ids of generation_config.json, where that file is there, and from config.json those that it
// leaves open. Throws FileError for an id outside of the model's vocabulary.
GenerationConfig ReadGenerationConfig(const std::filesystem::path& generation_json,
                                      const std::filesystem::path& config_json,
                                      const ModelConfig& config);

// Throws FileError when the tokenizer has ids that the model has no row for.
void CheckVocabulary(const Tokenizer& tokenizer, const std::filesystem::path& tokenizer_json,
                     const ModelConfig& config);

// Throws FileError for whatever is missing or is not what it claims to be. `with_weights = false`
// reads everything but the tensors. Weights are read by `threads` threads (0: all cores).
ModelFolder LoadModelFolder(const std::filesystem::path& path, bool with_weights = true,
                            int threads = 0);

// Writes weights and companions into an existing folder (the inside of a staged one): safetensors
// as `format` says, and every companion, config.json with the dtype that was written.
void WriteModelFiles(const std::filesystem::path& folder, const ModelFolder& model,
                     const WeightsLayout& layout, std::span<const float> data,
                     const WeightsFormat& format = {});

}  // namespace hone
