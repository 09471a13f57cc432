// The activation of a gated feed-forward: act(gate) * up. Shazeer, arXiv:2002.05202.
//   SwiGLU: silu(x) = x (1 / (1 + exp(-x)))
//   GeGLU:  gelu in its tanh form, x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) / 2;
//           Hendrycks and Gimpel, arXiv:1606.08415
#pragma once

#include <cstdint>

#include "kernels/exec.h"
#include "kernels/rows_at.h"

namespace hone::kernels {

// What the gate passes through.
enum class Gate { kSilu, kGeluTanh };

// gate_up [t, 2f]: the gate in columns [0, f), up in [f, 2f). out [t, f].
void Gated(const Exec& exec, Gate activation, const float* gate_up_T2F, int64_t t, int64_t f,
           float* out_TF);
// d_gate_up [t, 2f] is written, and out [t, f] once more, as Gated gives it: from one exp or tanh.
// The rows of gate_up lie anywhere.
void GatedBackward(const Exec& exec, Gate activation, const float* d_out_TF,
                   const float* const* gate_up_T, int64_t t, int64_t f, float* d_gate_up_T2F,
                   const RowsAt& out_TF);
inline void GatedBackward(const Exec& exec, Gate activation, const float* d_out_TF,
                          const float* const* gate_up_T, int64_t t, int64_t f, float* d_gate_up_T2F,
                          float* out_TF) {
  GatedBackward(exec, activation, d_out_TF, gate_up_T, t, f, d_gate_up_T2F, RowsAt{out_TF, f});
}

namespace reference {
void Gated(Gate activation, const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF);
void GatedBackward(Gate activation, const float* d_out_TF, const float* gate_up_T2F, int64_t t,
                   int64_t f, float* d_gate_up_T2F);
}  // namespace reference
}  // namespace hone::kernels
