// The contract of swiglu.h in plain loops.
#include <cmath>

#include "kernels/softmax.h"
#include "kernels/swiglu.h"

namespace hone::kernels::reference {

void SwiGlu(const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF) {
  for (int64_t row = 0; row < t; ++row) {
    const float *gate = gate_up_T2F + row * 2 * f, *up = gate + f;
    for (int64_t i = 0; i < f; ++i) {
      const float silu = gate[i] / (1 + Exp(-gate[i]));
      out_TF[row * f + i] = silu * up[i];
    }
  }
}

void SwiGluBackward(const float* d_out_TF, const float* gate_up_T2F, int64_t t, int64_t f,
                    float* d_gate_up_T2F) {
  for (int64_t row = 0; row < t; ++row) {
    const float *gate = gate_up_T2F + row * 2 * f, *up = gate + f;
    float *d_gate = d_gate_up_T2F + row * 2 * f, *d_up = d_gate + f;
    for (int64_t i = 0; i < f; ++i) {
      const float dy = d_out_TF[row * f + i], g = gate[i], denominator = 1 + Exp(-g);
      const float sigmoid = 1 / denominator;
      // d silu / dg = sigmoid(g) (1 + g (1 - sigmoid(g)))
      d_gate[i] = dy * up[i] * (sigmoid * std::fma(g, 1 - sigmoid, 1.0f));
      d_up[i] = dy * (g / denominator);
    }
  }
}

}  // namespace hone::kernels::reference
