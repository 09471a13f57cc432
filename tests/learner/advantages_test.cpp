#include "learner/advantages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hone {
namespace {

const std::vector<std::vector<float>> kRewards = {{1, 0, 0, 1}, {2, 2, 2, 2}, {0, 0, 3, 0}};
constexpr double kEpsilon = 1e-4;

TEST(AdvantagesTest, GroupScaleDividesByTheGroupsDeviationWithBessel) {
  const Advantages result = ComputeAdvantages(kRewards, "group");
  const double first = std::sqrt(4 * 0.25 / 3);  // {1,0,0,1} about 0.5
  EXPECT_FLOAT_EQ(result.values[0][0], static_cast<float>(0.5 / (first + kEpsilon)));
  EXPECT_FLOAT_EQ(result.values[0][1], static_cast<float>(-0.5 / (first + kEpsilon)));
  const double third = std::sqrt((3 * 0.75 * 0.75 + 2.25 * 2.25) / 3);
  EXPECT_FLOAT_EQ(result.values[2][2], static_cast<float>(2.25 / (third + kEpsilon)));
  EXPECT_DOUBLE_EQ(result.frac_zero_std, 1.0 / 3);
}

TEST(AdvantagesTest, BatchScaleDividesEveryGroupByTheBatchsDeviation) {
  const Advantages result = ComputeAdvantages(kRewards, "batch");
  double mean = 13.0 / 12, squares = 0;
  for (const auto& group : kRewards) {
    for (const float reward : group) squares += (reward - mean) * (reward - mean);
  }
  const double std = std::sqrt(squares / 11);
  EXPECT_DOUBLE_EQ(result.reward_std, std);
  EXPECT_DOUBLE_EQ(result.reward_mean, mean);
  EXPECT_FLOAT_EQ(result.values[0][0], static_cast<float>(0.5 / (std + kEpsilon)));
  EXPECT_FLOAT_EQ(result.values[2][2], static_cast<float>(2.25 / (std + kEpsilon)));
  EXPECT_EQ(result.frac_zero_std, 0);
}

TEST(AdvantagesTest, NoScaleOnlySubtractsTheGroupsMean) {
  const Advantages result = ComputeAdvantages(kRewards, "none");
  EXPECT_EQ(result.values[0], (std::vector<float>{0.5f, -0.5f, -0.5f, 0.5f}));
  EXPECT_DOUBLE_EQ(result.frac_zero_std, 1.0 / 3);  // still of the groups, for the log
}

TEST(AdvantagesTest, EqualRewardsGiveExactlyZero) {
  // 0.1f and 0.7f are not exact in binary: a mean that rounds would leave a difference.
  for (const float reward : {0.1f, 0.7f, 1e-3f}) {
    for (size_t samples : {2, 3, 7, 8}) {
      const Advantages result = ComputeAdvantages({std::vector<float>(samples, reward)}, "group");
      for (const float advantage : result.values[0]) EXPECT_EQ(advantage, 0);
      EXPECT_EQ(result.frac_zero_std, 1);
    }
  }
}

TEST(AdvantagesTest, RewardsWithoutVerdictDoNotCountAndGetZero) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Advantages result = ComputeAdvantages({{1, nan, 3}}, "none");
  EXPECT_EQ(result.values[0], (std::vector<float>{-1, 0, 1}));
  EXPECT_DOUBLE_EQ(result.reward_mean, 2);
}

TEST(AdvantagesTest, AGroupOfOneGetsZero) {
  EXPECT_EQ(ComputeAdvantages({{0.4f}, {0.9f}}, "group").values,
            (std::vector<std::vector<float>>{{0.0f}, {0.0f}}));
}

TEST(AdvantagesTest, MetricsNameEachVerifier) {
  StepBatch batch;
  batch.groups.resize(2);
  for (ScoredGroup& group : batch.groups) {
    group.verifier_names = {"accuracy", "format"};
    group.rewards_VG = {{0, 1}, {1, 1}};
    group.rewards_G = {0.5f, 1};
  }
  Metrics metrics;
  AddRewardMetrics(batch, ComputeAdvantages({{0.5f, 1}, {0.5f, 1}}, "group"), &metrics);
  EXPECT_DOUBLE_EQ(metrics.at("rewards/accuracy/mean"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("rewards/accuracy/std"), std::sqrt(1.0 / 3));
  EXPECT_DOUBLE_EQ(metrics.at("rewards/format/mean"), 1);
  EXPECT_DOUBLE_EQ(metrics.at("rewards/format/std"), 0);
  EXPECT_DOUBLE_EQ(metrics.at("reward"), 0.75);
}

}  // namespace
}  // namespace hone
