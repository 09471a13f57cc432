#include "learner/advantages.h"

#include <cmath>
#include <limits>
#include <span>

namespace hone {
namespace {

constexpr double kEpsilon = 1e-4;  // TRL's, added to the deviation
constexpr double kZeroStd = 1e-8;  // torch.isclose's absolute tolerance
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Mean and deviation (Bessel) of what is not NaN, summed in order in double: equal float rewards
// then have a deviation of exactly 0, and their advantages are exactly 0.
struct Moments {
  double mean = kNaN, std = kNaN;
  int64_t count = 0;
};

Moments MomentsOf(std::span<const float> values) {
  Moments result;
  double sum = 0;
  for (const float value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++result.count;
  }
  if (result.count == 0) return result;
  result.mean = sum / static_cast<double>(result.count);
  double squares = 0;
  for (const float value : values) {
    if (std::isnan(value)) continue;
    const double off = value - result.mean;
    squares += off * off;
  }
  if (result.count > 1) result.std = std::sqrt(squares / static_cast<double>(result.count - 1));
  return result;
}

std::vector<float> Flatten(const std::vector<std::vector<float>>& rows) {
  std::vector<float> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

}  // namespace

Advantages ComputeAdvantages(const std::vector<std::vector<float>>& rewards,
                             const std::string& scale) {
  const std::vector<float> all = Flatten(rewards);
  const Moments batch = MomentsOf(all);
  Advantages result;
  result.reward_mean = batch.mean;
  result.reward_std = batch.std;
  int64_t zero = 0;
  for (const auto& group : rewards) {
    const Moments own = MomentsOf(group);
    double std = scale == "batch" ? batch.std : own.std;
    // A group of one has no deviation: TRL takes 0. So does a batch of one.
    if ((scale == "batch" ? all.size() : group.size()) == 1) std = 0;
    if (std::abs(std) <= kZeroStd) zero += static_cast<int64_t>(group.size());
    std::vector<float>& values = result.values.emplace_back();
    for (const float reward : group) {
      double advantage = reward - own.mean;
      if (scale != "none") advantage /= std + kEpsilon;
      values.push_back(std::isnan(advantage) ? 0.0f : static_cast<float>(advantage));
    }
  }
  if (!all.empty())
    result.frac_zero_std = static_cast<double>(zero) / static_cast<double>(all.size());
  return result;
}

void AddRewardMetrics(const StepBatch& batch, const Advantages& advantages, Metrics* metrics) {
  (*metrics)["reward"] = advantages.reward_mean;
  (*metrics)["reward_std"] = advantages.reward_std;
  (*metrics)["frac_reward_zero_std"] = advantages.frac_zero_std;
  if (batch.groups.empty()) return;
  const std::vector<std::string>& names = batch.groups.front().verifier_names;
  for (size_t v = 0; v < names.size(); ++v) {
    std::vector<float> values;
    for (const ScoredGroup& group : batch.groups) {
      values.insert(values.end(), group.rewards_VG[v].begin(), group.rewards_VG[v].end());
    }
    const Moments moments = MomentsOf(values);
    (*metrics)["rewards/" + names[v] + "/mean"] = moments.mean;
    (*metrics)["rewards/" + names[v] + "/std"] = moments.std;
    (*metrics)["rewards/" + names[v] + "/errors"] = 0;
  }
  for (const ScoredGroup& group : batch.groups) {
    for (const VerifierError& error : group.errors) {
      const std::string name = "rewards/" + names[error.verifier] + "/errors";
      (*metrics)[name] += 1;
      (*metrics)[name + "/" + ErrorCauseName(error.cause)] += 1;
    }
  }
}

}  // namespace hone
