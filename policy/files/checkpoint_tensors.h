// The tensors of a model folder: one model.safetensors, or shards that an index names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "policy/files/float_types.h"
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

struct WeightsFormat {
  FloatType type = FloatType::kF32;
  // Of tensors in a file; a larger tensor is a shard of its own. Where all fit in one, the file is
  // model.safetensors, else model-00001-of-0000N.safetensors and so on, with an index.
  uint64_t max_shard_bytes = UINT64_MAX;
};

// Writes the tensors in order of the layout, with metadata {"format": "pt"}. Throws RunError.
void WriteWeights(const std::filesystem::path& folder, const WeightsLayout& layout,
                  std::span<const float> data, const WeightsFormat& format);

}  // namespace hone
