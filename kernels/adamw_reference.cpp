// The contract of adamw.h in plain loops.
#include <cmath>

#include "kernels/adamw.h"
#include "kernels/lanes.h"

namespace hone::kernels::reference {

void AdamW(const AdamWStep& step, const float* w, const float* grad, float* m, float* v, int64_t n,
           float* w_out) {
  const auto decay = static_cast<float>(1 - step.learning_rate * step.weight_decay);
  const auto step_size = static_cast<float>(step.learning_rate / step.bias_correction1);
  const auto correction2 = static_cast<float>(std::sqrt(step.bias_correction2));
  const auto weight1 = static_cast<float>(1 - step.beta1);
  const auto beta2 = static_cast<float>(step.beta2), weight2 = static_cast<float>(1 - step.beta2);
  for (int64_t i = 0; i < n; ++i) {
    const float g = grad[i] * step.grad_scale;
    m[i] = std::fma(weight1, g - m[i], m[i]);
    v[i] = std::fma(weight2 * g, g, v[i] * beta2);
    const float denominator = std::sqrt(v[i]) / correction2 + static_cast<float>(step.epsilon);
    w_out[i] = w[i] * decay - step_size * m[i] / denominator;
  }
}

double SumOfSquares(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t block = 0; block < n; block += 4096) {
    double lanes[kLanes] = {};
    for (int64_t i = block; i < n && i < block + 4096; ++i) {
      lanes[i % kLanes] += static_cast<double>(x[i]) * x[i];
    }
    sum += TreeSum(lanes);
  }
  return sum;
}

}  // namespace hone::kernels::reference
