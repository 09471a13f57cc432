#include "policy/families/gemma.h"

#include <cmath>

namespace hone {

double ReadSoftCap(const ConfigReader& json, const char* key, double fallback) {
  if (!json.json().contains(key)) return fallback;
  return json.Number(key, 0, 1e-3, 1e9);
}

void ReadGemma(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json,
             {.activation_key = "hidden_activation",
              .activation = "gelu_pytorch_tanh",
              .tied = true,
              .head_dim = 256},
             config);
  config->embedding_scale = std::sqrt(static_cast<double>(config->hidden_size));
  config->norm_offset = 1;
  config->post_norms = true;
  config->attention_scale = 1 / std::sqrt(json.Number("query_pre_attn_scalar", 256, 1e-3, 1e9));
  json.RefuseTrue({"use_bidirectional_attention", "mlp_bias"});
  config->qkv_bias = config->o_bias = json.Bool("attention_bias", false);
}

std::vector<NamedTensor> GemmaLayer(const ModelConfig& config, int64_t layer) {
  std::vector<NamedTensor> tensors = CommonLayer(config, layer);
  // What Llama calls the norm after attention comes before the feed-forward; here it is what its
  // name says.
  for (NamedTensor& tensor : tensors) {
    if (tensor.role == Role::kMlpNorm) tensor.name = "pre_feedforward_layernorm.weight";
  }
  tensors.push_back({"post_attention_layernorm.weight", Role::kAttentionOutNorm});
  tensors.push_back({"post_feedforward_layernorm.weight", Role::kMlpOutNorm});
  return tensors;
}

}  // namespace hone
