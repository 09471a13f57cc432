// Whole runs in which something goes wrong: mended to the same bits, or ended with the cause named.
#include <gtest/gtest.h>

#include "actors/run.h"
#include "common/error.h"
#include "tiny_ring.h"

namespace hone {
namespace {

using Kind = InjectedFault::Kind;

struct Case {
  const char* name;
  Kind kind;
  const char* role;
};

std::string CauseOf(const RunOptions& options) {
  try {
    TrainRing(options);
  } catch (const RunError& error) {
    return error.what();
  }
  return "";
}

class RingFaultTest : public testing::TestWithParam<Case> {
 protected:
  TinyRing tiny_;
};

TEST_P(RingFaultTest, AWorkerThatDiesIsReplacedAndTheBitsAreTheSame) {
  TrainRing(tiny_.Options("calm"));
  RunOptions options = tiny_.Options("stormy");
  options.config.rollout.workers = 2;
  // In the first batch, in the middle of one, and at the end of the last.
  for (const uint64_t group : {0, 7, 19}) {
    options.faults.push_back({GetParam().kind, GetParam().role, group});
  }
  const RunOutcome outcome = TrainRing(options);
  EXPECT_EQ(outcome.steps, 4u);
  EXPECT_EQ(outcome.restarts, 3u);
  EXPECT_TRUE(Bits(tiny_.Folder("calm")) == Bits(tiny_.Folder("stormy")));
  const LedgerTotals ledger = CheckedLedger(options.folder, 5);
  EXPECT_EQ(ledger.trained, 20u);
  if (std::string(GetParam().role) != "prompt_source") {
    EXPECT_GE(ledger.reissued, 3u);
  }
}

INSTANTIATE_TEST_SUITE_P(Roles, RingFaultTest,
                         testing::Values(Case{"RolloutWorkerThrows", Kind::kThrow,
                                              "rollout_worker"},
                                         Case{"RolloutWorkerDies", Kind::kDie, "rollout_worker"},
                                         Case{"RewardWorkerThrows", Kind::kThrow, "reward_worker"},
                                         Case{"RewardWorkerDies", Kind::kDie, "reward_worker"},
                                         Case{"PromptSourceThrows", Kind::kThrow, "prompt_source"},
                                         Case{"PromptSourceDies", Kind::kDie, "prompt_source"}),
                         [](const auto& fault) { return std::string(fault.param.name); });

class RingEndTest : public testing::Test {
 protected:
  TinyRing tiny_;
};

TEST_F(RingEndTest, CorruptWeightsAreNoticedAndSentAgain) {
  TrainRing(tiny_.Options("calm"));
  RunOptions options = tiny_.Options("corrupt");
  options.config.rollout.workers = 2;
  options.faults = {{Kind::kCorruptWeights, "rollout_worker", 0},
                    {Kind::kCorruptWeights, "rollout_worker", 2}};
  const RunOutcome outcome = TrainRing(options);
  EXPECT_EQ(outcome.refused_weights, 2u);
  EXPECT_EQ(outcome.restarts, 0u);
  EXPECT_TRUE(Bits(tiny_.Folder("calm")) == Bits(tiny_.Folder("corrupt")));
}

TEST_F(RingEndTest, WeightsThatStayCorruptEndTheRun) {
  RunOptions options = tiny_.Options("run");
  options.faults = {{Kind::kCorruptWeights, "rollout_worker", 1},
                    {Kind::kCorruptWeights, "rollout_worker", 1}};
  const std::string cause = CauseOf(options);
  EXPECT_NE(cause.find("rollout_worker-0 refuses version 1"), std::string::npos) << cause;
  EXPECT_NE(cause.find("fingerprint"), std::string::npos) << cause;
}

TEST_F(RingEndTest, AGroupThatKillsEveryWorkerEndsTheRun) {
  RunOptions options = tiny_.Options("run");
  options.config.rollout.workers = 2;
  options.faults.assign(5, {Kind::kThrow, "rollout_worker", 3});
  const std::string cause = CauseOf(options);
  EXPECT_NE(cause.find("group 3"), std::string::npos) << cause;
  EXPECT_NE(cause.find("injected fault"), std::string::npos) << cause;
}

TEST_F(RingEndTest, AWorkerThatKeepsDyingEndsTheRun) {
  RunOptions options = tiny_.Options("run");
  options.faults.assign(6, {Kind::kThrow, "prompt_source", 0});
  const std::string cause = CauseOf(options);
  EXPECT_NE(cause.find("prompt_source-0 died 6 times"), std::string::npos) << cause;
  EXPECT_NE(cause.find("injected fault"), std::string::npos) << cause;
}

// Longer at a group, and even at a sample, than the ring waits for anything to move.
TEST_F(RingEndTest, ASlowVerifierIsNotTakenForAHungOne) {
  RunOptions options = tiny_.Options("run");
  options.config.run.steps = 1;
  options.config.rollout.prompts_per_step = 1;
  options.deadlines.stall = 1.5;
  options.rewards = {SleepingVerifier(tiny_.path(), 2.5, {{"processes", 1}})};
  const RunOutcome outcome = TrainRing(options);
  EXPECT_EQ(outcome.steps, 1u);
  EXPECT_EQ(outcome.restarts, 0u);
}

TEST_F(RingEndTest, OnErrorStopIsTheEndAtTheFirstError) {
  RunOptions options = tiny_.Options("run");
  RewardConfig reward = SleepingVerifier(
      tiny_.path(), 5, {{"processes", 1}, {"timeout_s", 0.1}, {"start_timeout_s", 1}});
  reward.on_error = RewardConfig::OnError::kStop;
  options.rewards = {reward};
  options.config.rollout.prompts_per_step = 1;
  const std::string cause = CauseOf(options);
  EXPECT_NE(cause.find("reward_worker-"), std::string::npos) << cause;
  EXPECT_NE(cause.find("sleeper: group 0, sample 0: no answer within"), std::string::npos) << cause;
  EXPECT_EQ(cause.find("died"), std::string::npos) << cause;
}

TEST_F(RingEndTest, AFailingLearnerEndsTheRunWithItsWords) {
  RunOptions options = tiny_.Options("run");
  options.on_step = [](uint64_t step, const Metrics&) {
    if (step == 2) throw RunError("no space left on device");
  };
  EXPECT_EQ(CauseOf(options), "no space left on device");
  RunOptions usage = tiny_.Options("usage");
  usage.on_step = [](uint64_t, const Metrics&) { throw UsageError("no such key"); };
  EXPECT_THROW(TrainRing(usage), UsageError);
}

TEST_F(RingEndTest, ARunMayFollowAFailedOne) {
  RunOptions options = tiny_.Options("first");
  options.faults.assign(6, {Kind::kDie, "prompt_source", 0});
  EXPECT_NE(CauseOf(options), "");
  EXPECT_EQ(TrainRing(tiny_.Options("second")).steps, 4u);
}

TEST_F(RingEndTest, AnAddressThatCannotBeBoundIsNamed) {
  RunOptions options = tiny_.Options("run");
  options.address = "ipc:///no/such/folder/broker";
  EXPECT_NE(CauseOf(options).find("/no/such/folder/broker"), std::string::npos);
}

}  // namespace
}  // namespace hone
