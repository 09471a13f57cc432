// A policy as GGUF: what llama.cpp calls its parts, and back.
#pragma once

#include <span>
#include <vector>

#include "policy/files/gguf.h"
#include "policy/files/model_folder.h"

namespace hone {

// Throws UsageError for a family or setting that is not written as GGUF.
GgufMetadata MakeGgufMetadata(const ModelFolder& model, GgmlType type);

// Matrices get `type` (Q8_0 becomes F16 where rows are no multiple of 32); norms, biases and
// routers stay F32, as llama.cpp's converter has it. `data` as the layout; the tensors point into
// it.
std::vector<GgufTensor> MakeGgufTensors(const ModelConfig& config, const WeightsLayout& layout,
                                        std::span<const float> data, GgmlType type);

// The weights of a file that holds just the tensors of the config, decoded and in the layout's
// order. Throws FileError naming the tensor.
Buffer<float> ReadGgufWeights(const GgufFile& file, const ModelConfig& config,
                              const WeightsLayout& layout);

}  // namespace hone
