// The inner part of rmsnorm.cpp for one ISA.
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

void Forward(const float* x_TD, const float* weight_D, float offset, float eps, int64_t t,
             int64_t d, const RowsAt& y_TD, float* inv_rms_T) {
  for (int64_t row = 0; row < t; ++row) {
    const float* x = x_TD + row * d;
    float* y = y_TD.data + row * y_TD.row_step;
    F32x16 squares = Zero();
    for (int64_t i = 0; i < d; i += 16) {
      const F32x16 v = LoadN(x + i, Smaller(16, d - i));
      squares = Fma(v, v, squares);
    }
    const float mean = SumLanes(squares) / static_cast<float>(d);
    const float inv_rms = 1.0f / __builtin_sqrtf(mean + eps);
    if (inv_rms_T != nullptr) inv_rms_T[row] = inv_rms;
    for (int64_t i = 0; i < d; i += 16) {
      const int64_t n = Smaller(16, d - i);
      const F32x16 unit = Mul(LoadN(x + i, n), Set(inv_rms));
      StoreN(y + i / 32 * y_TD.panel_stride + i % 32,
             Mul(unit, Add(LoadN(weight_D + i, n), Set(offset))), n);
    }
  }
}

void BackwardX(const float* dy_TD, const float* x_TD, const float* weight_D, float offset,
               const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD) {
  for (int64_t row = 0; row < t; ++row) {
    const float *x = x_TD + row * d, *dy = dy_TD + row * d;
    float* dx = dx_TD + row * d;
    const F32x16 inv_rms = Set(inv_rms_T[row]);
    F32x16 dots = Zero();
    for (int64_t i = 0; i < d; i += 16) {
      const int64_t n = Smaller(16, d - i);
      const F32x16 g = Mul(LoadN(dy + i, n), Add(LoadN(weight_D + i, n), Set(offset)));
      dots = Fma(g, Mul(LoadN(x + i, n), inv_rms), dots);
    }
    const F32x16 minus_mean = Set(-(SumLanes(dots) / static_cast<float>(d)));
    for (int64_t i = 0; i < d; i += 16) {
      const int64_t n = Smaller(16, d - i);
      const F32x16 g = Mul(LoadN(dy + i, n), Add(LoadN(weight_D + i, n), Set(offset)));
      const F32x16 unit = Mul(LoadN(x + i, n), inv_rms);
      StoreN(dx + i, Fma(inv_rms, Fma(unit, minus_mean, g), LoadN(dx + i, n)), n);
    }
  }
}

void BackwardWeight(const float* dy_TD, const float* x_TD, const float* inv_rms_T, int64_t t,
                    int64_t d, int64_t begin, int64_t end, float* dweight_D) {
  constexpr int kChains = 4;  // side by side: one alone would wait for its fma
  for (int64_t i = begin; i < end; i += kChains * 16) {
    int64_t n[kChains];
    F32x16 sum[kChains];
    for (int c = 0; c < kChains; ++c) {
      n[c] = end - i - c * 16 < 0 ? 0 : Smaller(16, end - i - c * 16);
      sum[c] = LoadN(dweight_D + i + c * 16, n[c]);
    }
    for (int64_t row = 0; row < t; ++row) {
      const float *x = x_TD + row * d + i, *dy = dy_TD + row * d + i;
#pragma GCC unroll 4
      for (int c = 0; c < kChains; ++c) {
        const F32x16 unit = Mul(LoadN(x + c * 16, n[c]), Set(inv_rms_T[row]));
        sum[c] = Fma(LoadN(dy + c * 16, n[c]), unit, sum[c]);
      }
    }
    for (int c = 0; c < kChains; ++c) StoreN(dweight_D + i + c * 16, sum[c], n[c]);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const RmsNormKernels kRmsNorm = {Forward, BackwardX, BackwardWeight};
}

}  // namespace hone::kernels
