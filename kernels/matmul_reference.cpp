// The contract of matmul.h, one output at a time.
#include <cmath>

#include "kernels/matmul.h"

namespace hone::kernels::reference {

void Matmul(const float* a, int64_t lda, int64_t m, const float* b_KN, int64_t k, int64_t n,
            float* c, int64_t ldc, const float* bias, bool accumulate) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = accumulate ? c[row * ldc + j] : 0.0f;
      for (int64_t i = 0; i < k; ++i) sum = std::fma(a[row * lda + i], b_KN[i * n + j], sum);
      if (bias != nullptr) sum += bias[j];
      c[row * ldc + j] = sum;
    }
  }
}

void MatmulGradWeight(const float* dy_TN, int64_t ld_dy, const float* x_TK, int64_t ld_x, int64_t t,
                      int64_t n, int64_t k, float* dw_NK) {
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < k; ++i) {
      float sum = dw_NK[j * k + i];
      for (int64_t row = 0; row < t; ++row) {
        sum = std::fma(dy_TN[row * ld_dy + j], x_TK[row * ld_x + i], sum);
      }
      dw_NK[j * k + i] = sum;
    }
  }
}

}  // namespace hone::kernels::reference
