// From rewards to advantages, normalised within the group. Shao et al., arXiv:2402.03300 (GRPO),
// section 4.1.2; formulas and logged numbers are those of TRL 1.16 (GRPOTrainer,
// multi_objective_aggregation = "sum_then_normalize"). Rewards that are NaN stand for "no verdict":
// they do not count, and get advantage 0.
#pragma once

#include <string>
#include <vector>

#include "learner/learner.h"
#include "learner/step_batch.h"

namespace hone {

struct Advantages {
  std::vector<std::vector<float>> values;  // [groups][samples]
  double reward_mean = 0, reward_std = 0;  // over all samples of the batch
  double frac_zero_std = 0;  // of the samples: those whose deviation (as `scale` takes it) is 0
};

// `scale`: "group" divides by the group's standard deviation, "batch" by the batch's, "none" not at
// all. Deviations have Bessel's correction; 1e-4 is added before dividing.
Advantages ComputeAdvantages(const std::vector<std::vector<float>>& rewards,
                             const std::string& scale);

// reward, reward_std, frac_reward_zero_std, rewards/NAME/mean, rewards/NAME/std, and how many
// samples each could not judge: rewards/NAME/errors, by cause in rewards/NAME/errors/CAUSE.
void AddRewardMetrics(const StepBatch& batch, const Advantages& advantages, Metrics* metrics);

}  // namespace hone
