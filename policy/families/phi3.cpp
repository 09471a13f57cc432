// Phi-3, 3.5 and 4-mini: Llama with fused projections, of whose heads a part may turn, and
// longrope.
#include "policy/families/family.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json, {}, config);
  ReadRope(json, {.partial = true, .longrope_only = true}, config);
  const int32_t window = ReadWindow(json, 0);
  json.Refuse("layer_types", "a Phi-3's layers are all of one type");
  if (window > 0) config->windows.assign(static_cast<size_t>(config->num_layers), window);
  json.RefuseTrue({"attention_bias", "mlp_bias", "lm_head_bias"});
}

std::vector<NamedTensor> Layer(const ModelConfig&, int64_t) {
  return {{"input_layernorm.weight", Role::kAttentionNorm},
          {"self_attn.qkv_proj.weight", Role::kQkv},
          {"self_attn.o_proj.weight", Role::kO},
          {"post_attention_layernorm.weight", Role::kMlpNorm},
          {"mlp.gate_up_proj.weight", Role::kGateUp},
          {"mlp.down_proj.weight", Role::kDown}};
}

}  // namespace

const ModelFamily kPhi3 = {
    .model_type = "phi3",
    .architecture = "Phi3ForCausalLM",
    .read = Read,
    .layer = Layer,
};

}  // namespace hone
