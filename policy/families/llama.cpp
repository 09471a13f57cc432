// Llama 2 and 3, and what is built like them: SmolLM, the Llama distillations of DeepSeek-R1.
#include "policy/families/family.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json, {}, config);
  ReadRope(json, {}, config);
  config->qkv_bias = config->o_bias = json.Bool("attention_bias", false);
  config->mlp_bias = json.Bool("mlp_bias", false);
  json.RefuseTrue({"use_sliding_window"});
  ReadLayerTypes(
      json, /*window=*/0, [](int64_t) { return false; }, config);
}

}  // namespace

const ModelFamily kLlama = {
    .model_type = "llama",
    .architecture = "LlamaForCausalLM",
    .read = Read,
    .layer = CommonLayer,
};

}  // namespace hone
