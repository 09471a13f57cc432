// What Gemma 2 and Gemma 3 share.
#pragma once

#include "policy/families/family.h"

namespace hone {

// Sizes, the embedding's scale, norms, the scale of scores and the soft cap of the logits.
void ReadGemma(const ConfigReader& json, ModelConfig* config);
// A number under the key, or 0 for null; `fallback` without the key.
double ReadSoftCap(const ConfigReader& json, const char* key, double fallback);

std::vector<NamedTensor> GemmaLayer(const ModelConfig& config, int64_t layer);

}  // namespace hone
