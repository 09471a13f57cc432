// A family of models: how config.json describes one, and what its tensors are called. The forward
// is the same for all; docs/families.md shows how to add one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "policy/families/config_reader.h"
#include "policy/model/tensor_role.h"

namespace hone {

struct ModelFamily {
  const char* model_type;    // of config.json
  const char* architecture;  // the one entry of its "architectures"
  // Fills in the description (but for the architecture), or throws FileError naming the key of
  // what the forward does not do.
  void (*read)(const ConfigReader& json, ModelConfig* config);
  // The tensors of a layer in order of the flat array, by their names behind "model.layers.N.".
  std::vector<NamedTensor> (*layer)(const ModelConfig& config, int64_t layer);
};

std::span<const ModelFamily* const> ModelFamilies();
// The family of that architecture; throws UsageError for none.
const ModelFamily& FamilyOf(const std::string& architecture);
// The family that "model_type" and "architectures" name.
const ModelFamily& FamilyOf(const ConfigReader& json);

// The layer that most families share: the names of Llama, with whatever biases and norms of heads
// the config asks for.
std::vector<NamedTensor> CommonLayer(const ModelConfig& config, int64_t layer);

extern const ModelFamily kGemma2, kGemma3, kLlama, kMistral, kPhi3, kQwen2, kQwen3, kQwen3Moe;

}  // namespace hone
