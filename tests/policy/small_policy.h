// A policy to export.
#pragma once

#include <filesystem>
#include <string>

#include "common/file.h"
#include "policy/files/model_folder.h"

namespace hone {

// A small model of the quickstart's tokenizer.
inline ModelFolder SmallPolicy(const std::string& architecture) {
  const std::filesystem::path source =
      std::filesystem::path(HONE_SOURCE_DIR) / "configs" / "quickstart";
  Json config = ReadJson(source / "model.json");
  config["architectures"] = {architecture};
  config["model_type"] = architecture == "LlamaForCausalLM"   ? "llama"
                         : architecture == "Qwen2ForCausalLM" ? "qwen2"
                                                              : "qwen3_moe";
  if (config["model_type"] == "qwen3_moe") {
    config.update({{"num_experts", 3},
                   {"num_experts_per_tok", 2},
                   {"moe_intermediate_size", 40},
                   {"norm_topk_prob", true}});
  }
  config["num_hidden_layers"] = 1;
  config["vocab_size"] = 264;
  ModelFolder model;
  model.path = "small";
  model.config = ParseModelConfig(config, "config.json");
  model.layout = MakeLayout(model.config);
  model.tokenizer = Tokenizer::Load(source / "tokenizer.json");
  model.generation.eos_token_ids = {1};
  model.companions = {{"config.json", config.dump()},
                      {"tokenizer.json", ReadFile(source / "tokenizer.json")},
                      {"tokenizer_config.json", ReadFile(source / "tokenizer_config.json")}};
  model.weights = MakeWeights(model.layout, InitWeights(model.config, model.layout, 1), 0);
  return model;
}

}  // namespace hone
