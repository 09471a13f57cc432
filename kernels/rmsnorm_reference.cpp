// The contract of rmsnorm.h in plain loops.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/lanes.h"
#include "kernels/rmsnorm.h"

namespace hone::kernels::reference {

void RmsNorm(const float* x_TD, const float* weight_D, float eps, int64_t t, int64_t d, float* y_TD,
             float* inv_rms_T, float offset) {
  for (int64_t row = 0; row < t; ++row) {
    const float* x = x_TD + row * d;
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < d; ++i) lanes[i % kLanes] = std::fma(x[i], x[i], lanes[i % kLanes]);
    const float inv_rms = 1.0f / std::sqrt(TreeSum(lanes) / static_cast<float>(d) + eps);
    if (inv_rms_T != nullptr) inv_rms_T[row] = inv_rms;
    for (int64_t i = 0; i < d; ++i) y_TD[row * d + i] = x[i] * inv_rms * (weight_D[i] + offset);
  }
}

void RmsNormBackward(const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D,
                     float offset) {
  // With u = x / rms and g = dy * weight: dx = (g - u mean(g u)) / rms, dweight = sum of dy u.
  for (int64_t row = 0; row < t; ++row) {
    const float *x = x_TD + row * d, *dy = dy_TD + row * d;
    const float inv_rms = inv_rms_T[row];
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < d; ++i) {
      const float g = dy[i] * (weight_D[i] + offset);
      lanes[i % kLanes] = std::fma(g, x[i] * inv_rms, lanes[i % kLanes]);
    }
    const float mean = TreeSum(lanes) / static_cast<float>(d);
    for (int64_t i = 0; i < d; ++i) {
      const float g = dy[i] * (weight_D[i] + offset), u = x[i] * inv_rms;
      float& dx = dx_TD[row * d + i];
      dx = std::fma(inv_rms, std::fma(u, -mean, g), dx);
      dweight_D[i] = std::fma(dy[i], u, dweight_D[i]);
    }
  }
}

void RmsNormHeads(const HeadNorm& norm, int64_t t, float* x, int64_t ld) {
  for (int64_t row = 0; row < t; ++row) {
    float* heads = x + row * ld;
    RmsNorm(heads, norm.weight, norm.eps, norm.heads, norm.head_dim, heads, nullptr, norm.offset);
  }
}

void RmsNormHeadsBackward(const HeadNorm& norm, int64_t t, const float* x, int64_t ld_x, float* dy,
                          int64_t ld, float* dweight) {
  const int64_t size = norm.heads * norm.head_dim;
  std::vector<float> normed(size), inv_rms(norm.heads), dx(size);
  for (int64_t row = 0; row < t; ++row) {
    RmsNorm(x + row * ld_x, norm.weight, norm.eps, norm.heads, norm.head_dim, normed.data(),
            inv_rms.data(), norm.offset);
    std::fill(dx.begin(), dx.end(), 0.0f);
    RmsNormBackward(dy + row * ld, x + row * ld_x, norm.weight, inv_rms.data(), norm.heads,
                    norm.head_dim, dx.data(), dweight, norm.offset);
    std::copy(dx.begin(), dx.end(), dy + row * ld);
  }
}

}  // namespace hone::kernels::reference
