// Qwen3 with experts: Qwen3 whose feed-forward is, in most layers, a choice of experts.
#include <fmt/format.h>

#include "policy/families/family.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

constexpr int64_t kMostExperts = 100'000;  // in all layers; each is three tensors

// transformers 5 writes "num_local_experts", 4 "num_experts".
void ReadExperts(const ConfigReader& json, ModelConfig* config) {
  const char* key = json.Has("num_local_experts") ? "num_local_experts" : "num_experts";
  config->num_experts = json.Count(key);
  if (config->num_experts > kMostExperts / config->num_layers) {
    json.Fail(key, fmt::format("expected at most {} in {} layers, found {}", kMostExperts,
                               config->num_layers, config->num_experts));
  }
  config->experts_per_token = json.Count("num_experts_per_tok");
  if (config->experts_per_token > config->num_experts) {
    json.Fail("num_experts_per_tok", fmt::format("expected at most {}, which is {}, found {}", key,
                                                 config->num_experts, config->experts_per_token));
  }
  config->expert_size = json.Count("moe_intermediate_size");
  config->norm_topk_prob = json.Bool("norm_topk_prob", false);
  const int64_t step = json.Has("decoder_sparse_step") ? json.Count("decoder_sparse_step") : 1;
  for (int64_t l = 0; l < config->num_layers; ++l) config->sparse.push_back((l + 1) % step == 0);
  if (!json.Has("mlp_only_layers")) return;
  const Json& dense = json.At("mlp_only_layers");
  if (!dense.is_array())
    json.Fail("mlp_only_layers", fmt::format("expected an array, found {}", Dump(dense)));
  for (const Json& layer : dense) {
    const int64_t l = layer.is_number_integer() ? layer.get<int64_t>() : -1;
    if (l < 0 || l >= config->num_layers) {
      json.Fail("mlp_only_layers", fmt::format("expected numbers of layers below {}, found {}",
                                               config->num_layers, Dump(layer)));
    }
    config->sparse[static_cast<size_t>(l)] = 0;
  }
}

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json, {}, config);
  ReadRope(json, {}, config);
  const int32_t window = json.Bool("use_sliding_window", false) ? ReadWindow(json, 4096) : 0;
  json.Refuse("layer_types", "a Qwen3 with experts has layers of one type");
  if (window > 0) config->windows.assign(static_cast<size_t>(config->num_layers), window);
  config->qk_norm = true;
  config->qkv_bias = config->o_bias = json.Bool("attention_bias", false);
  json.RefuseTrue({"mlp_bias"});
  ReadExperts(json, config);
}

std::vector<NamedTensor> Layer(const ModelConfig& config, int64_t layer) {
  std::vector<NamedTensor> tensors = CommonLayer(config, layer);
  if (!config.has_experts(layer)) return tensors;
  std::erase_if(tensors, [](const NamedTensor& tensor) {
    return tensor.role == Role::kGate || tensor.role == Role::kUp || tensor.role == Role::kDown;
  });
  tensors.push_back({"mlp.gate.weight", Role::kRouter});
  for (int64_t e = 0; e < config.num_experts; ++e) {
    const std::string expert = fmt::format("mlp.experts.{}.", e);
    tensors.push_back({expert + "gate_proj.weight", Role::kExpertGate, e});
    tensors.push_back({expert + "up_proj.weight", Role::kExpertUp, e});
    tensors.push_back({expert + "down_proj.weight", Role::kExpertDown, e});
  }
  return tensors;
}

}  // namespace

const ModelFamily kQwen3Moe = {
    .model_type = "qwen3_moe",
    .architecture = "Qwen3MoeForCausalLM",
    .read = Read,
    .layer = Layer,
};

}  // namespace hone
