// The weights that a policy of a narrower type computes with.
#pragma once

#include <span>

#include "common/thread_pool.h"
#include "policy/files/float_types.h"
#include "policy/model/weights.h"

namespace hone {

// Each matrix (embedding and head among them) narrowed to the type and widened again; norms and
// biases, tensors of one axis, as they are. `data` and `rounded` are flat, as the layout says; gaps
// are left out. A pure function of the data: an export of this type has the same matrices.
void RoundMatrices(const WeightsLayout& layout, std::span<const float> data, FloatType type,
                   ThreadPool* pool, std::span<float> rounded);

}  // namespace hone
