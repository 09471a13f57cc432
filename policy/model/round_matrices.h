// The weights that a policy of bf16 computes with.
#pragma once

#include <span>

#include "common/thread_pool.h"
#include "policy/model/weights.h"

namespace hone {

// Each matrix (embedding and head among them) rounded to numbers of bf16, to nearest, ties to even;
// norms and biases, tensors of one axis, as they are. `data` and `rounded` are flat, as the layout
// says; gaps are left out. A pure function of the data: an export as bf16 has the same matrices.
void RoundMatrices(const WeightsLayout& layout, std::span<const float> data, ThreadPool* pool,
                   std::span<float> rounded);

}  // namespace hone
