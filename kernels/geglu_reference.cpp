// The contract of geglu.h in plain loops.
#include <cmath>

#include "kernels/geglu.h"
#include "kernels/geglu_constants.h"
#include "kernels/softmax.h"

namespace hone::kernels::reference {
namespace {

using namespace geglu_constants;

float Inner(float x) { return Tanh(x * kSlope * std::fma(kCubic, x * x, 1.0f)); }

}  // namespace

void GeGlu(const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF) {
  for (int64_t row = 0; row < t; ++row) {
    const float *gate = gate_up_T2F + row * 2 * f, *up = gate + f;
    for (int64_t i = 0; i < f; ++i) {
      const float half = 0.5f * gate[i];
      out_TF[row * f + i] = std::fma(half, Inner(gate[i]), half) * up[i];
    }
  }
}

void GeGluBackward(const float* d_out_TF, const float* gate_up_T2F, int64_t t, int64_t f,
                   float* d_gate_up_T2F) {
  for (int64_t row = 0; row < t; ++row) {
    const float *gate = gate_up_T2F + row * 2 * f, *up = gate + f;
    float *d_gate = d_gate_up_T2F + row * 2 * f, *d_up = d_gate + f;
    for (int64_t i = 0; i < f; ++i) {
      const float dy = d_out_TF[row * f + i], g = gate[i], half = 0.5f * g, tanh = Inner(g);
      // d gelu / dg = (1 + tanh) / 2 + g / 2 (1 - tanh²) d inner / dg
      const float inner_slope = kSlope * std::fma(3 * kCubic, g * g, 1.0f);
      const float tanh_slope = std::fma(-tanh, tanh, 1.0f);
      const float slope = std::fma(half * tanh_slope, inner_slope, std::fma(0.5f, tanh, 0.5f));
      d_gate[i] = dy * up[i] * slope;
      d_up[i] = dy * std::fma(half, tanh, half);
    }
  }
}

}  // namespace hone::kernels::reference
