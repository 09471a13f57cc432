// The first half of a gated feed-forward: both projections and their activation in one pass, so
// that gate and up are still in the cache when they are multiplied.
#pragma once

#include "kernels/matmul.h"

namespace hone::kernels {

// gate_up [m, 2 f] = a [m, k] times gate | up ([k, f] each, packed), and act [m, f] =
// silu(gate) * up. The bits of Matmul and SwiGlu one after the other. lda: row stride of a.
void MatmulSwiGlu(const Exec& exec, const float* a, int64_t lda, int64_t m,
                  const PackedMatrix& gate, const PackedMatrix& up, float* gate_up_T2F,
                  float* act_TF);

}  // namespace hone::kernels
