// Mistral: Llama with a window in every layer, unless "sliding_window" is null.
#include "policy/families/family.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadCommon(json, {}, config);
  ReadRope(json, {}, config);
  const int32_t window = ReadWindow(json, 4096);
  json.Refuse("layer_types", "a Mistral's layers are all of one type");
  if (window > 0) config->windows.assign(static_cast<size_t>(config->num_layers), window);
  json.RefuseTrue({"attention_bias", "mlp_bias"});
}

}  // namespace

const ModelFamily kMistral = {
    .model_type = "mistral",
    .architecture = "MistralForCausalLM",
    .read = Read,
    .layer = CommonLayer,
};

}  // namespace hone
