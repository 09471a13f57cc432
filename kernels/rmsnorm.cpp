#include "kernels/rmsnorm.h"

#include <algorithm>

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

void RmsNorm(const Exec& exec, const float* x_TD, const float* weight_D, float eps, int64_t t,
             int64_t d, const RowsAt& y_TD, float* inv_rms_T, float offset) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, t, kLeastNormRows, [&](int64_t begin, int64_t end) {
    kernels.forward(x_TD + begin * d, weight_D, offset, eps, end - begin, d, y_TD.From(begin),
                    inv_rms_T == nullptr ? nullptr : inv_rms_T + begin);
  });
}

void RmsNormBackwardX(const Exec& exec, const float* dy_TD, const float* x_TD,
                      const float* weight_D, const float* inv_rms_T, int64_t t, int64_t d,
                      float* dx_TD, float offset) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, t, kLeastNormRows, [&](int64_t begin, int64_t end) {
    kernels.backward_x(dy_TD + begin * d, x_TD + begin * d, weight_D, offset, inv_rms_T + begin,
                       end - begin, d, dx_TD + begin * d);
  });
}

void RmsNormBackwardWeight(const Exec& exec, const float* dy_TD, const float* x_TD,
                           const float* inv_rms_T, int64_t t, int64_t d, int64_t begin, int64_t end,
                           float* dweight_D) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, end - begin, 16, [&](int64_t first, int64_t last) {
    kernels.backward_weight(dy_TD, x_TD, inv_rms_T, t, d, begin + first, begin + last, dweight_D);
  });
}

void RmsNormBackward(const Exec& exec, const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D,
                     float offset) {
  RmsNormBackwardX(exec, dy_TD, x_TD, weight_D, inv_rms_T, t, d, dx_TD, offset);
  RmsNormBackwardWeight(exec, dy_TD, x_TD, inv_rms_T, t, d, 0, d, dweight_D);
}

void RmsNormHeads(const Exec& exec, const HeadNorm& norm, int64_t t, float* x, int64_t ld) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, t, kLeastNormRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* heads = x + row * ld;
      kernels.forward(heads, norm.weight, norm.offset, norm.eps, norm.heads, norm.head_dim,
                      {heads, norm.head_dim}, nullptr);
    }
  });
}

void RmsNormHeadsBackwardX(const Exec& exec, const HeadNorm& norm, int64_t t, const float* x,
                           int64_t ld_x, float* dy, int64_t ld, float* inv_rms_TH) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  const int64_t heads = norm.heads, d = norm.head_dim, size = heads * d;
  ParallelFor(exec, t, kLeastNormRows, [&](int64_t begin, int64_t end) {
    float* scratch = Scratch(size);
    for (int64_t row = begin; row < end; ++row) {
      float *at = dy + row * ld, *inv_rms = inv_rms_TH + row * heads;
      kernels.forward(x + row * ld_x, norm.weight, norm.offset, norm.eps, heads, d, {scratch, d},
                      inv_rms);
      std::copy_n(at, size, scratch);
      std::fill_n(at, size, 0.0f);
      kernels.backward_x(scratch, x + row * ld_x, norm.weight, norm.offset, inv_rms, heads, d, at);
    }
  });
}

void RmsNormHeadsBackwardWeight(const Exec& exec, const HeadNorm& norm, int64_t t, const float* x,
                                int64_t ld_x, const float* dy, int64_t ld, const float* inv_rms_TH,
                                int64_t begin, int64_t end, float* dweight) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, end - begin, 16, [&](int64_t first, int64_t last) {
    for (int64_t row = 0; row < t; ++row) {
      kernels.backward_weight(dy + row * ld, x + row * ld_x, inv_rms_TH + row * norm.heads,
                              norm.heads, norm.head_dim, begin + first, begin + last, dweight);
    }
  });
}

}  // namespace hone::kernels
