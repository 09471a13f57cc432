// Qwen2 and 2.5: Llama with biases of queries, keys and values, whatever "attention_bias" says, and
// windows in the upper layers on request.
#include "policy/families/family.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json, {}, config);
  ReadRope(json, {}, config);
  ReadQwenWindows(json, config);
  config->qkv_bias = true;
  json.RefuseTrue({"mlp_bias"});
}

}  // namespace

const ModelFamily kQwen2 = {
    .model_type = "qwen2",
    .architecture = "Qwen2ForCausalLM",
    .read = Read,
    .layer = CommonLayer,
};

}  // namespace hone
