#include "learner/schedule.h"

#include <algorithm>

#include "common/deterministic_math.h"

namespace hone {
namespace {

// The factor on the base rate: transformers.optimization's get_*_schedule lambdas.
double Factor(const OptimizerSection& optimizer, int64_t done, int64_t total) {
  const std::string& type = optimizer.lr_scheduler_type;
  const int64_t warmup = optimizer.warmup_steps;
  if (type == "constant") return 1;
  if (done < warmup)
    return static_cast<double>(done) / static_cast<double>(std::max<int64_t>(1, warmup));
  if (type == "constant_with_warmup") return 1;
  const double span = static_cast<double>(std::max<int64_t>(1, total - warmup));
  if (type == "linear") return std::max(0.0, static_cast<double>(total - done) / span);
  constexpr double kPi = 3.14159265358979323846;
  return std::max(0.0, 0.5 * (1 + Cos(kPi * (static_cast<double>(done - warmup) / span))));
}

}  // namespace

double LearningRate(const OptimizerSection& optimizer, int64_t done, int64_t total) {
  return optimizer.learning_rate * Factor(optimizer, done, total);
}

}  // namespace hone
