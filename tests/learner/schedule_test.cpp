#include "learner/schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace hone {
namespace {

struct Golden {
  const char* type;
  int64_t warmup, total;
  std::vector<double> rates;
};

// transformers.get_scheduler(type, optimizer of 3e-4, warmup, total).get_last_lr() before each
// step.
const std::vector<Golden> kGoldens = {
    {"linear", 0, 5, {3e-4, 2.4e-4, 1.8e-4, 1.2e-4, 6e-5}},
    {"linear", 2, 6, {0, 1.5e-4, 3e-4, 2.25e-4, 1.5e-4, 7.5e-5}},
    {"cosine",
     2,
     7,
     {0, 1.5e-4, 3e-4, 2.713525491562421e-4, 1.963525491562421e-4, 1.036474508437579e-4,
      2.8647450843757897e-5}},
    {"constant", 3, 5, {3e-4, 3e-4, 3e-4, 3e-4, 3e-4}},
    {"constant_with_warmup", 3, 5, {0, 1e-4, 2e-4, 3e-4, 3e-4}},
    {"linear", 5, 3, {0, 6e-5, 1.2e-4}},  // a warm-up longer than the run
};

TEST(ScheduleTest, RatesAreTransformers) {
  for (const Golden& golden : kGoldens) {
    OptimizerSection optimizer;
    optimizer.learning_rate = 3e-4;
    optimizer.lr_scheduler_type = golden.type;
    optimizer.warmup_steps = golden.warmup;
    for (size_t k = 0; k < golden.rates.size(); ++k) {
      EXPECT_NEAR(LearningRate(optimizer, static_cast<int64_t>(k), golden.total), golden.rates[k],
                  1e-18)
          << golden.type << " at " << k;
    }
  }
}

}  // namespace
}  // namespace hone
