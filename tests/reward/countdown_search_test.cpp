#include "reward/countdown_search.h"

#include <gtest/gtest.h>

#include <chrono>

#include "reward/tasks/countdown.h"
#include "reward/verify.h"

namespace hone {
namespace {

double Reward(const std::vector<int64_t>& nums, int64_t target, bool use_all,
              const std::string& expression) {
  const auto verifier = MakeVerifier(
      {.verifier = "countdown", .gate = "", .options = {{"use_all", use_all}, {"extract", "none"}}},
      0);
  const Json columns = {{"nums", nums}, {"target", target}};
  return verifier->Score({.prompt = "", .completion = expression, .columns = columns}).reward;
}

TEST(CountdownSearchTest, SolvesEveryProblemThatTheTaskMakes) {
  for (const int numbers : {2, 3, 4, 5}) {
    const auto task = MakeCountdownTask({{"numbers", numbers}});
    for (uint64_t ordinal = 0; ordinal < 30; ++ordinal) {
      const Problem problem = task->Make(3, ordinal);
      const auto nums = problem.columns["nums"].get<std::vector<int64_t>>();
      const int64_t target = problem.columns["target"];
      const auto expression = SolveCountdown(nums, target, true);
      ASSERT_TRUE(expression) << problem.columns;
      EXPECT_EQ(Reward(nums, target, true, *expression), 1) << *expression << problem.columns;
    }
  }
}

TEST(CountdownSearchTest, GoesOverFractions) {
  const auto expression = SolveCountdown({3, 3, 8, 8}, 24, true);  // 8 / (3 - 8 / 3)
  ASSERT_TRUE(expression);
  EXPECT_EQ(Reward({3, 3, 8, 8}, 24, true, *expression), 1) << *expression;
}

TEST(CountdownSearchTest, LeavesNumbersOutOnlyWhenItMay) {
  EXPECT_EQ(SolveCountdown({5, 7}, 7, false), "7");
  EXPECT_EQ(SolveCountdown({5, 7}, 7, true), std::nullopt);
  const auto expression = SolveCountdown({100, 5, 7}, 35, false);
  ASSERT_TRUE(expression);
  EXPECT_EQ(Reward({100, 5, 7}, 35, false, *expression), 1) << *expression;
}

TEST(CountdownSearchTest, GivesUpOnWhatIsUnsolvableTooLongOrTooLarge) {
  EXPECT_EQ(SolveCountdown({1, 1}, 7, true), std::nullopt);
  EXPECT_EQ(SolveCountdown({}, 0, true), std::nullopt);
  EXPECT_EQ(SolveCountdown({1, 2, 3, 4, 5, 6, 7}, 28, true), std::nullopt);
  EXPECT_EQ(SolveCountdown({-1, 2}, 1, true), std::nullopt);
  EXPECT_EQ(SolveCountdown({INT64_MAX, 2}, 1, true), std::nullopt);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(SolveCountdown({1, 1, 1, 1, 1, 1}, 999'983, true), std::nullopt);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace hone
