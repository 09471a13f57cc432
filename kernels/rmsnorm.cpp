#include "kernels/rmsnorm.h"

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

void RmsNorm(const Exec& exec, const float* x_TD, const float* weight_D, float eps, int64_t t,
             int64_t d, float* y_TD, float* inv_rms_T) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, t, 8, [&](int64_t begin, int64_t end) {
    kernels.forward(x_TD + begin * d, weight_D, eps, end - begin, d, y_TD + begin * d,
                    inv_rms_T == nullptr ? nullptr : inv_rms_T + begin);
  });
}

void RmsNormBackward(const Exec& exec, const float* dy_TD, const float* x_TD, const float* weight_D,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD, float* dweight_D) {
  const RmsNormKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRmsNorm);
  ParallelFor(exec, t, 8, [&](int64_t begin, int64_t end) {
    kernels.backward_x(dy_TD + begin * d, x_TD + begin * d, weight_D, inv_rms_T + begin,
                       end - begin, d, dx_TD + begin * d);
  });
  ParallelFor(exec, d, 16, [&](int64_t begin, int64_t end) {
    kernels.backward_weight(dy_TD, x_TD, inv_rms_T, t, d, begin, end, dweight_D);
  });
}

}  // namespace hone::kernels
