#include "policy/model/tensor_offsets.h"

#include <fmt/format.h>

namespace hone {

TensorOffsets MakeOffsets(const ModelConfig& config, const WeightsLayout& layout) {
  const auto offset = [&](const std::string& name) { return layout.Find(name).offset; };
  TensorOffsets offsets;
  offsets.embed = offset("model.embed_tokens.weight");
  for (int64_t l = 0; l < config.num_layers; ++l) {
    const auto of = [&](const char* name) {
      return offset(fmt::format("model.layers.{}.{}", l, name));
    };
    LayerOffsets& layer = offsets.layers.emplace_back();
    layer.input_norm = of("input_layernorm.weight");
    layer.q = of("self_attn.q_proj.weight");
    layer.k = of("self_attn.k_proj.weight");
    layer.v = of("self_attn.v_proj.weight");
    if (config.qkv_bias) {
      layer.q_bias = of("self_attn.q_proj.bias");
      layer.k_bias = of("self_attn.k_proj.bias");
      layer.v_bias = of("self_attn.v_proj.bias");
    }
    layer.o = of("self_attn.o_proj.weight");
    layer.post_norm = of("post_attention_layernorm.weight");
    layer.gate = of("mlp.gate_proj.weight");
    layer.up = of("mlp.up_proj.weight");
    layer.down = of("mlp.down_proj.weight");
  }
  offsets.norm = offset("model.norm.weight");
  offsets.head = config.tie_word_embeddings ? offsets.embed : offset("lm_head.weight");
  return offsets;
}

}  // namespace hone
