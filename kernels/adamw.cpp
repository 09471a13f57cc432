#include "kernels/adamw.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {
namespace {

constexpr int64_t kBlock = 4096;

}  // namespace

void AdamW(const Exec& exec, const AdamWStep& step, const float* w, const float* grad, float* m,
           float* v, int64_t n, float* w_out) {
  // As torch: the scalars are computed in double and rounded where they meet a float.
  const AdamWScalars scalars = {
      .grad_scale = step.grad_scale,
      .decay = static_cast<float>(1 - step.learning_rate * step.weight_decay),
      .one_minus_beta1 = static_cast<float>(1 - step.beta1),
      .beta2 = static_cast<float>(step.beta2),
      .one_minus_beta2 = static_cast<float>(1 - step.beta2),
      .sqrt_correction2 = static_cast<float>(std::sqrt(step.bias_correction2)),
      .epsilon = static_cast<float>(step.epsilon),
      .step_size = static_cast<float>(step.learning_rate / step.bias_correction1)};
  const AdamWKernels& kernels = HONE_ISA_KERNELS(exec.isa, kAdamW);
  ParallelFor(exec, n, kBlock, [&](int64_t begin, int64_t end) {
    kernels.update(scalars, w + begin, grad + begin, m + begin, v + begin, end - begin,
                   w_out + begin);
  });
}

double SumOfSquares(const Exec& exec, const float* x, int64_t n) {
  const AdamWKernels& kernels = HONE_ISA_KERNELS(exec.isa, kAdamW);
  std::vector<double> sums((n + kBlock - 1) / kBlock);
  ParallelFor(exec, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlock;
      sums[block] = kernels.sum_of_squares(x + first, std::min(kBlock, n - first));
    }
  });
  double sum = 0;
  for (double part : sums) sum += part;
  return sum;
}

}  // namespace hone::kernels
