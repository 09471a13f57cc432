// Weights as a narrower type holds them: what a reader of an export will have.
#pragma once

#include <span>

#include "common/thread_pool.h"
#include "policy/files/float_types.h"
#include "policy/files/ggml_types.h"
#include "policy/files/gguf.h"
#include "policy/model/weights.h"

namespace hone {

// Each tensor narrowed and widened again. Throw RunError naming the tensor where a number is not
// finite, or is too large for the type.
Buffer<float> RoundWeights(const WeightsLayout& layout, std::span<const float> data, FloatType type,
                           ThreadPool* pool);
// As `tensors` (of MakeGgufTensors) hold it.
Buffer<float> RoundWeights(const WeightsLayout& layout, std::span<const GgufTensor> tensors,
                           ThreadPool* pool);

}  // namespace hone
