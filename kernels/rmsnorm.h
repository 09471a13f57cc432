// RMSNorm: y = x / sqrt(mean(x²) + eps) * (weight + offset). Zhang and Sennrich, arXiv:1910.07467,
// eq. 4; an offset of 1 is Gemma's. The mean is a sum over 16 virtual lanes (element i in lane
// i mod 16, in order) and a fixed tree.
#pragma once

#include <cstdint>

#include "kernels/exec.h"
#include "kernels/rows_at.h"

namespace hone::kernels {

// Rows that a thread norms at least, where there are several threads.
inline constexpr int64_t kLeastNormRows = 8;

// x, y [t, d]; weight [d]; inv_rms [t] (kept for the backward, may be null). y may be x.
void RmsNorm(const Exec& exec, const float* x_TD, const float* weight_D, float eps, int64_t t,
             int64_t d, const RowsAt& y_TD, float* inv_rms_T, float offset = 0);
inline void RmsNorm(const Exec& exec, const float* x_TD, const float* weight_D, float eps,
                    int64_t t, int64_t d, float* y_TD, float* inv_rms_T, float offset = 0) {
  RmsNorm(exec, x_TD, weight_D, eps, t, d, RowsAt{y_TD, d}, inv_rms_T, offset);
}
// dx += gradient by x; dweight += gradient by weight (a chain over t). dx is accumulated since the
// residual's gradient is already there.
void RmsNormBackward(const Exec& exec, const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D,
                     float offset = 0);

// Its two parts, which may run at once: of rows, and of columns [begin, end) of the weight.
void RmsNormBackwardX(const Exec& exec, const float* dy_TD, const float* x_TD,
                      const float* weight_D, const float* inv_rms_T, int64_t t, int64_t d,
                      float* dx_TD, float offset = 0);
void RmsNormBackwardWeight(const Exec& exec, const float* dy_TD, const float* x_TD,
                           const float* inv_rms_T, int64_t t, int64_t d, int64_t begin, int64_t end,
                           float* dweight_D);

// What a norm of each head takes: weight [head_dim], the same for all heads.
struct HeadNorm {
  const float* weight = nullptr;
  float eps = 0, offset = 0;
  int64_t heads = 0, head_dim = 0;
};
// x [t, heads, head_dim] (row stride ld) in place.
void RmsNormHeads(const Exec& exec, const HeadNorm& norm, int64_t t, float* x, int64_t ld);
// Turns dy [t, heads, head_dim] (row stride ld) into the gradient by x (what went into the norm,
// row stride ld_x); inv_rms [t, heads] is written.
void RmsNormHeadsBackwardX(const Exec& exec, const HeadNorm& norm, int64_t t, const float* x,
                           int64_t ld_x, float* dy, int64_t ld, float* inv_rms_TH);
// Adds to columns [begin, end) of dweight [head_dim], a chain over rows and heads, from dy as it
// was before.
void RmsNormHeadsBackwardWeight(const Exec& exec, const HeadNorm& norm, int64_t t, const float* x,
                                int64_t ld_x, const float* dy, int64_t ld, const float* inv_rms_TH,
                                int64_t begin, int64_t end, float* dweight);

namespace reference {
void RmsNorm(const float* x_TD, const float* weight_D, float eps, int64_t t, int64_t d, float* y_TD,
             float* inv_rms_T, float offset = 0);
void RmsNormBackward(const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D,
                     float offset = 0);
void RmsNormHeads(const HeadNorm& norm, int64_t t, float* x, int64_t ld);
void RmsNormHeadsBackward(const HeadNorm& norm, int64_t t, const float* x, int64_t ld_x, float* dy,
                          int64_t ld, float* dweight);
}  // namespace reference
}  // namespace hone::kernels
