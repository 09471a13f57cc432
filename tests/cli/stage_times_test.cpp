#include "cli/stage_times.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

Metrics Step(double rollout, double reward, double learn) {
  return {{"time/rollout", rollout}, {"time/reward", reward}, {"time/learn", learn},
          {"time/sync", 0},          {"time/reward/math", 1}, {"time/reward/slow", 30},
          {"rewards/slow/mean", 1e9}};
}

TEST(StageTimesTest, NamesTheSlowestVerifierWhenNoOtherStageTookLonger) {
  StageTimes times;
  times.Add(Step(1, 5, 2));
  times.Add(Step(1, 5, 6));
  EXPECT_EQ(times.seconds(), 20);
  EXPECT_EQ(times.waited_for_verdicts(), 0.5);
  EXPECT_EQ(times.Shares(), "rollout 10 %, reward 50 %, learn 40 %, sync 0 %");
  const std::string text = times.RewardBottleneck().value();
  EXPECT_NE(text.find("50 % of the time (10.0 s)"), std::string::npos) << text;
  EXPECT_NE(text.find("slow (60.0 s of work"), std::string::npos) << text;
}

TEST(StageTimesTest, OtherwiseNothingIsSaid) {
  StageTimes times;
  EXPECT_FALSE(times.RewardBottleneck());
  EXPECT_EQ(times.Shares(), "");
  times.Add(Step(6, 5, 2));
  EXPECT_FALSE(times.RewardBottleneck());
  StageTimes sft;
  sft.Add({{"loss", 1}, {"time/learn", 2}});
  EXPECT_FALSE(sft.RewardBottleneck());
  EXPECT_EQ(sft.Shares(), "learn 100 %");
}

}  // namespace
}  // namespace hone
