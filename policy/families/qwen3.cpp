// Qwen3: Llama with norms of the heads of queries and keys.
#include "policy/families/family.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json, {.head_dim = 128}, config);
  ReadRope(json, {}, config);
  ReadQwenWindows(json, config);
  config->qk_norm = true;
  config->qkv_bias = config->o_bias = json.Bool("attention_bias", false);
  json.RefuseTrue({"mlp_bias"});
}

}  // namespace

const ModelFamily kQwen3 = {
    .model_type = "qwen3",
    .architecture = "Qwen3ForCausalLM",
    .read = Read,
    .layer = CommonLayer,
};

}  // namespace hone
