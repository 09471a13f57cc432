// The contract of rmsnorm.h in plain loops.
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/rmsnorm.h"

namespace hone::kernels::reference {

void RmsNorm(const float* x_TD, const float* weight_D, float eps, int64_t t, int64_t d, float* y_TD,
             float* inv_rms_T) {
  for (int64_t row = 0; row < t; ++row) {
    const float* x = x_TD + row * d;
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < d; ++i) lanes[i % kLanes] = std::fma(x[i], x[i], lanes[i % kLanes]);
    const float inv_rms = 1.0f / std::sqrt(TreeSum(lanes) / static_cast<float>(d) + eps);
    if (inv_rms_T != nullptr) inv_rms_T[row] = inv_rms;
    for (int64_t i = 0; i < d; ++i) y_TD[row * d + i] = x[i] * inv_rms * weight_D[i];
  }
}

void RmsNormBackward(const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D) {
  // With u = x / rms and g = dy * weight: dx = (g - u mean(g u)) / rms, dweight = sum of dy u.
  for (int64_t row = 0; row < t; ++row) {
    const float *x = x_TD + row * d, *dy = dy_TD + row * d;
    const float inv_rms = inv_rms_T[row];
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < d; ++i) {
      const float g = dy[i] * weight_D[i];
      lanes[i % kLanes] = std::fma(g, x[i] * inv_rms, lanes[i % kLanes]);
    }
    const float mean = TreeSum(lanes) / static_cast<float>(d);
    for (int64_t i = 0; i < d; ++i) {
      const float g = dy[i] * weight_D[i], u = x[i] * inv_rms;
      float& dx = dx_TD[row * d + i];
      dx = std::fma(inv_rms, std::fma(u, -mean, g), dx);
      dweight_D[i] = std::fma(dy[i], u, dweight_D[i]);
    }
  }
}

}  // namespace hone::kernels::reference
