// Gemma 3, text alone: Gemma 2 with norms of the heads of queries and keys instead of the soft
// caps, and rotary embedding of its own in the layers with a window. arXiv:2503.19786.
#include "policy/families/gemma.h"
#include "policy/families/rope_settings.h"

namespace hone {
namespace {

constexpr double kGlobalTheta = 1e6, kLocalTheta = 1e4;

// transformers 5 has an object of each type of layer in "rope_parameters"; 4 has "rope_theta" and
// "rope_scaling" of the layers without a window and "rope_local_base_freq" of the others.
void ReadRopes(const ConfigReader& json, ModelConfig* config) {
  ModelConfig local = *config;
  local.rope_theta = json.Number("rope_local_base_freq", kLocalTheta, 1, 1e15);
  config->rope_theta = kGlobalTheta;
  if (!json.Has("rope_parameters")) {
    ReadRope(json, {}, config);
  } else {
    json.Refuse("rope_scaling", "it stands beside rope_parameters");
    const ConfigReader both = json.Object("rope_parameters");
    for (const auto& [key, value] : both.json().items()) {
      if (key != "full_attention" && key != "sliding_attention") {
        both.Fail(key, "expected \"full_attention\" and \"sliding_attention\" alone");
      }
    }
    const auto read = [&](const char* key, double theta, ModelConfig* into) {
      if (both.Has(key)) ReadRopeObject(both.Object(key), json, {}, theta, into);
    };
    read("full_attention", json.Number("rope_theta", kGlobalTheta, 1, 1e15), config);
    read("sliding_attention", local.rope_theta, &local);
    if (local.rope_scaling.type != RopeType::kDefault) {
      both.Fail("sliding_attention", "expected a rope_type of \"default\"");
    }
  }
  config->local_rope_theta = local.rope_theta;
}

void Read(const ConfigReader& json, ModelConfig* config) {
  ReadGemma(json, config);
  ReadRopes(json, config);
  const int64_t pattern =
      json.Has("sliding_window_pattern") ? json.Count("sliding_window_pattern") : 6;
  ReadLayerTypes(
      json, ReadWindow(json, 4096), [&](int64_t layer) { return (layer + 1) % pattern != 0; },
      config);
  config->qk_norm = true;
  config->logit_softcap = ReadSoftCap(json, "final_logit_softcapping", 0);
  json.Refuse("attn_logit_softcapping", "transformers does not apply it to a Gemma 3 either");
}

}  // namespace

const ModelFamily kGemma3 = {
    .model_type = "gemma3_text",
    .architecture = "Gemma3ForCausalLM",
    .read = Read,
    .layer = GemmaLayer,
};

}  // namespace hone
