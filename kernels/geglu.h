// GeGLU: gelu(gate) * up, gelu in its tanh form:
//   gelu(x) = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) / 2.
// Shazeer, arXiv:2002.05202; Hendrycks and Gimpel, arXiv:1606.08415.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// gate_up [t, 2f]: the gate in columns [0, f), up in [f, 2f). out [t, f].
void GeGlu(const Exec& exec, const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF);
// d_gate_up [t, 2f] is written, and out [t, f] once more, as GeGlu gives it: from one tanh.
void GeGluBackward(const Exec& exec, const float* d_out_TF, const float* gate_up_T2F, int64_t t,
                   int64_t f, float* d_gate_up_T2F, float* out_TF);

namespace reference {
void GeGlu(const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF);
void GeGluBackward(const float* d_out_TF, const float* gate_up_T2F, int64_t t, int64_t f,
                   float* d_gate_up_T2F);
}  // namespace reference
}  // namespace hone::kernels
