#include "actors/scoring_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "policy/files/model_folder.h"
#include "tiny_ring.h"

namespace hone {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class ScoringPoolTest : public testing::Test {
 protected:
  std::unique_ptr<Scorer> Sleeper(double sleep_s, const Json& options) const {
    return std::make_unique<Scorer>(
        std::vector{SleepingVerifier(tiny_.path(), sleep_s, options)}, 0,
        LoadModelFolder(tiny_.path() / "model", /*with_weights=*/false).tokenizer);
  }
  static RolloutGroup Group(uint64_t id, size_t samples = 2) {
    RolloutGroup group;
    group.task.group_id = id;
    group.completions.resize(samples);
    return group;
  }
  static std::optional<ScoredGroup> TakeWithin(ScoringPool& pool, int ms) {
    return pool.Take(steady_clock::now() + milliseconds(ms));
  }
  static double SecondsSince(steady_clock::time_point start) {
    return std::chrono::duration<double>(steady_clock::now() - start).count();
  }

  TinyRing tiny_;
};

TEST_F(ScoringPoolTest, AsManyGroupsAsTheVerifierHasProcessesAreScoredSideBySide) {
  const auto scorer = Sleeper(0.5, {{"processes", 4}});
  ScoringPool pool(*scorer);
  EXPECT_EQ(pool.slots(), 4u);
  const auto start = steady_clock::now();
  for (uint64_t group = 0; group < 4; ++group) pool.Start(Group(group), {});
  EXPECT_TRUE(pool.full());
  std::set<uint64_t> done;
  while (done.size() < 4) {
    const auto scored = TakeWithin(pool, 10'000);
    ASSERT_TRUE(scored);
    const uint64_t group = scored->rollout.task.group_id;
    EXPECT_EQ(scored->rewards_G, (std::vector<float>{static_cast<float>(group), group + 1.0f}));
    done.insert(group);
  }
  EXPECT_LT(SecondsSince(start), 3);  // one after another: over 4 s
  EXPECT_TRUE(pool.idle());
}

TEST_F(ScoringPoolTest, AShortGroupDoesNotWaitForALongOne) {
  const auto scorer = Sleeper(0.3, {{"processes", 2}});
  ScoringPool pool(*scorer);
  pool.Start(Group(0, 10), {});
  pool.Start(Group(1, 1), {});
  EXPECT_EQ(TakeWithin(pool, 2'500)->rollout.task.group_id, 1u);
  EXPECT_FALSE(TakeWithin(pool, 1));
  EXPECT_EQ(TakeWithin(pool, 20'000)->rollout.task.group_id, 0u);
}

TEST_F(ScoringPoolTest, VerifiersThatComputeAreNotMultiplied) {
  RewardConfig reward;
  reward.verifier = "random";
  const Scorer scorer({reward}, 0, nullptr);
  EXPECT_EQ(ScoringPool(scorer).slots(), 1u);
}

TEST_F(ScoringPoolTest, SlowIsNotHungAndIsDescribed) {
  const auto scorer = Sleeper(1.2, {{"processes", 1}});
  ScoringPool pool(*scorer);
  EXPECT_FALSE(pool.GetsOn());
  pool.Start(Group(17, 1), {});
  bool seen = false;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(TakeWithin(pool, 100));
    EXPECT_TRUE(pool.GetsOn());
    seen |=
        pool.Describe().find("group 17 (sleeper, 0 verdicts so far; 1 s at the next, of 140 s") !=
        std::string::npos;
  }
  EXPECT_TRUE(seen) << pool.Describe();
  EXPECT_TRUE(TakeWithin(pool, 10'000));
}

TEST_F(ScoringPoolTest, AnEndDoesNotWaitForTheWholeGroup) {
  const auto scorer = Sleeper(0.2, {{"processes", 1}});
  const auto start = steady_clock::now();
  {
    ScoringPool pool(*scorer);
    pool.Start(Group(0, 100), {});
    EXPECT_FALSE(TakeWithin(pool, 500));
  }
  EXPECT_LT(SecondsSince(start), 3);  // to its end: 20 s
}

TEST_F(ScoringPoolTest, WhatScoringThrowsReachesTheTaker) {
  const auto scorer = Sleeper(0, {});
  ScoringPool pool(*scorer);
  RolloutGroup group = Group(0);
  group.task.columns = "{";
  pool.Start(std::move(group), {});
  EXPECT_THROW(TakeWithin(pool, 10'000), RunError);
  EXPECT_TRUE(pool.idle());
}

}  // namespace
}  // namespace hone
