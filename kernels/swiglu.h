// SwiGLU: silu(gate) * up, silu(x) = x / (1 + exp(-x)). Shazeer, arXiv:2002.05202.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// gate_up [t, 2f]: the gate in columns [0, f), up in [f, 2f). out [t, f].
void SwiGlu(const Exec& exec, const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF);
// d_gate_up [t, 2f] is written, and out [t, f] once more, as SwiGlu gives it: from one exp.
void SwiGluBackward(const Exec& exec, const float* d_out_TF, const float* gate_up_T2F, int64_t t,
                    int64_t f, float* d_gate_up_T2F, float* out_TF);

namespace reference {
void SwiGlu(const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF);
void SwiGluBackward(const float* d_out_TF, const float* gate_up_T2F, int64_t t, int64_t f,
                    float* d_gate_up_T2F);
}  // namespace reference
}  // namespace hone::kernels
