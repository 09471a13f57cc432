// The inner part of adamw.cpp for one ISA.
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

void Update(const AdamWScalars& s, const float* w, const float* grad, float* m, float* v, int64_t n,
            float* w_out) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t count = Smaller(16, n - i);
    const F32x16 g = Mul(LoadN(grad + i, count), Set(s.grad_scale));
    const F32x16 m_old = LoadN(m + i, count), v_old = LoadN(v + i, count);
    const F32x16 m_new = Fma(Set(s.one_minus_beta1), Sub(g, m_old), m_old);
    const F32x16 v_new = Fma(Mul(Set(s.one_minus_beta2), g), g, Mul(v_old, Set(s.beta2)));
    const F32x16 denominator = Add(Div(Sqrt(v_new), Set(s.sqrt_correction2)), Set(s.epsilon));
    const F32x16 decayed = Mul(LoadN(w + i, count), Set(s.decay));
    StoreN(m + i, m_new, count);
    StoreN(v + i, v_new, count);
    StoreN(w_out + i, Sub(decayed, Div(Mul(Set(s.step_size), m_new), denominator)), count);
  }
}

// In double a square of floats is exact: with or without fma the same bits.
double SumOfSquares(const float* x, int64_t n) {
  double lanes[16] = {};
  const int64_t whole = n / 16 * 16;
  for (int64_t i = 0; i < whole; i += 16) {
    for (int lane = 0; lane < 16; ++lane) {
      const double value = x[i + lane];
      lanes[lane] += value * value;
    }
  }
  for (int64_t i = whole; i < n; ++i) {
    const double value = x[i];
    lanes[i - whole] += value * value;
  }
  for (int width = 8; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const AdamWKernels kAdamW = {Update, SumOfSquares};
}

}  // namespace hone::kernels
