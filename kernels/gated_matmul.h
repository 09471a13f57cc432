// The first half of a gated feed-forward: both projections and their activation in one pass, so
// that gate and up are still in the cache when they are multiplied.
#pragma once

#include "kernels/gated.h"
#include "kernels/matmul.h"

namespace hone::kernels {

// gate_up [m, 2 f] = a [m, k] times gate | up ([k, f] each, packed), plus bias [2 f] where given,
// and act [m, f] = activation(gate) * up. The bits of Matmul and Gated one after the other.
// lda: row stride of a.
void MatmulGated(const Exec& exec, Gate activation, const float* a, int64_t lda, int64_t m,
                 const PackedMatrix& gate, const PackedMatrix& up, float* gate_up_T2F,
                 float* act_TF, const float* bias_2F = nullptr);

}  // namespace hone::kernels
