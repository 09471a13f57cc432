// The tensors of a model folder: one model.safetensors, or shards that an index names.
#pragma once

#include <filesystem>
#include <memory>

#include "policy/model/config.h"
#include "policy/model/weights.h"

namespace hone {

// The weights as version 0, widened to fp32. Every tensor of the layout must be there with its
// shape; all shapes are compared before memory is taken. Throws FileError naming file and tensor,
// also for a tensor that the model does not have (but for buffers that old files carry). Tensors
// are read, widened and hashed by `threads` threads (0: all cores), each once and into its place;
// of the files, only what is being read is in memory.
std::shared_ptr<const Weights> ReadWeights(const std::filesystem::path& folder,
                                           const ModelConfig& config, const WeightsLayout& layout,
                                           int threads);

}  // namespace hone
