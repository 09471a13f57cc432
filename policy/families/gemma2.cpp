// Gemma 2: norms on both sides of attention and feed-forward, soft caps, and a window in every
// other layer. Gemma Team, arXiv:2408.00118.
#include "policy/families/gemma.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadGemma(json, config);
  ReadRope(json, {}, config);
  ReadLayerTypes(
      json, ReadWindow(json, 4096), [](int64_t layer) { return layer % 2 == 0; }, config);
  config->attention_softcap = ReadSoftCap(json, "attn_logit_softcapping", 50);
  config->logit_softcap = ReadSoftCap(json, "final_logit_softcapping", 30);
}

}  // namespace

const ModelFamily kGemma2 = {
    .model_type = "gemma2",
    .architecture = "Gemma2ForCausalLM",
    .read = Read,
    .layer = GemmaLayer,
};

}  // namespace hone
