// RMSNorm: y = x / sqrt(mean(x²) + eps) * weight. Zhang and Sennrich, arXiv:1910.07467, eq. 4.
// The mean is a sum over 16 virtual lanes (element i in lane i mod 16, in order) and a fixed tree.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// x, y [t, d]; weight [d]; inv_rms [t] (kept for the backward, may be null). y may be x.
void RmsNorm(const Exec& exec, const float* x_TD, const float* weight_D, float eps, int64_t t,
             int64_t d, float* y_TD, float* inv_rms_T);
// dx += gradient by x; dweight += gradient by weight (a chain over t). dx is accumulated since the
// residual's gradient is already there.
void RmsNormBackward(const Exec& exec, const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D);

namespace reference {
void RmsNorm(const float* x_TD, const float* weight_D, float eps, int64_t t, int64_t d, float* y_TD,
             float* inv_rms_T);
void RmsNormBackward(const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D);
}  // namespace reference
}  // namespace hone::kernels
