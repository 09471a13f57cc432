// The contract of gated.h in plain loops.
#include <cmath>

#include "kernels/gated.h"
#include "kernels/geglu_constants.h"
#include "kernels/softmax.h"

namespace hone::kernels::reference {
namespace {

using namespace geglu_constants;

struct Activation {
  float value, slope;
};

Activation Silu(float x) {
  const float sigmoid = 1 / (1 + Exp(-x));
  // d silu / dx = sigmoid(x) (1 + x (1 - sigmoid(x)))
  return {x * sigmoid, sigmoid * std::fma(x, 1 - sigmoid, 1.0f)};
}

Activation GeluTanh(float x) {
  const float half = 0.5f * x, tanh = Tanh(x * kSlope * std::fma(kCubic, x * x, 1.0f));
  // d gelu / dx = (1 + tanh) / 2 + x / 2 (1 - tanh²) d inner / dx
  const float inner_slope = kSlope * std::fma(3 * kCubic, x * x, 1.0f);
  const float tanh_slope = std::fma(-tanh, tanh, 1.0f);
  return {std::fma(half, tanh, half),
          std::fma(half * tanh_slope, inner_slope, std::fma(0.5f, tanh, 0.5f))};
}

Activation Activate(Gate activation, float x) {
  return activation == Gate::kSilu ? Silu(x) : GeluTanh(x);
}

}  // namespace

void Gated(Gate activation, const float* gate_up_T2F, int64_t t, int64_t f, float* out_TF) {
  for (int64_t row = 0; row < t; ++row) {
    const float *gate = gate_up_T2F + row * 2 * f, *up = gate + f;
    for (int64_t i = 0; i < f; ++i) {
      out_TF[row * f + i] = Activate(activation, gate[i]).value * up[i];
    }
  }
}

void GatedBackward(Gate activation, const float* d_out_TF, const float* gate_up_T2F, int64_t t,
                   int64_t f, float* d_gate_up_T2F) {
  for (int64_t row = 0; row < t; ++row) {
    const float *gate = gate_up_T2F + row * 2 * f, *up = gate + f;
    float *d_gate = d_gate_up_T2F + row * 2 * f, *d_up = d_gate + f;
    for (int64_t i = 0; i < f; ++i) {
      const float dy = d_out_TF[row * f + i];
      const Activation act = Activate(activation, gate[i]);
      d_gate[i] = dy * up[i] * act.slope;
      d_up[i] = dy * act.value;
    }
  }
}

}  // namespace hone::kernels::reference
