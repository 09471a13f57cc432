// The contract of softmax.h in plain loops.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/lanes.h"
#include "kernels/softmax.h"

namespace hone::kernels::reference {
namespace {

constexpr float kLogFloor =
    -1000;  // stands for a log-probability of -inf where it is multiplied by 0

}  // namespace

void LogSumExpRows(const float* logits, int64_t ld, int64_t rows, int64_t v, float temperature,
                   float* log_sum_exp_R, float* entropy_R) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = logits + row * ld;
    float max = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < v; ++i) max = std::max(max, x[i] / temperature);
    float sum[kLanes] = {}, weighted[kLanes] = {};
    for (int64_t i = 0; i < v; ++i) {
      const float difference = x[i] / temperature - max, e = Exp(difference);
      sum[i % kLanes] += e;
      weighted[i % kLanes] = std::fma(e, std::max(difference, kLogFloor), weighted[i % kLanes]);
    }
    const float total = TreeSum(sum), log_total = Log(total);
    log_sum_exp_R[row] = max + log_total;
    if (entropy_R != nullptr) entropy_R[row] = log_total - TreeSum(weighted) / total;
  }
}

void LogProbGradRows(float* logits, int64_t ld, int64_t rows, int64_t v, float temperature,
                     const int32_t* targets_R, const float* log_sum_exp_R, const float* entropy_R,
                     const float* dlogprob_R, const float* dentropy_R) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < v; ++i) {
      float& x = logits[row * ld + i];
      const float log_p = x / temperature - log_sum_exp_R[row];
      float slope = -dlogprob_R[row];
      if (dentropy_R != nullptr && dentropy_R[row] != 0) {
        slope = std::fma(-dentropy_R[row], std::max(log_p, kLogFloor) + entropy_R[row], slope);
      }
      float gradient = Exp(log_p) * slope;
      if (i == targets_R[row]) gradient += dlogprob_R[row];
      x = gradient / temperature;
    }
  }
}

}  // namespace hone::kernels::reference
