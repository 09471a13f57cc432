// Whole runs: the same bits however the work is spread.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "actors/run.h"
#include "common/error.h"
#include "tiny_ring.h"

namespace hone {
namespace {

class RingTest : public testing::Test {
 protected:
  TinyRing tiny_;
};

TEST_F(RingTest, TrainsAllStepsAndClosesItsLedger) {
  RunOptions options = tiny_.Options("run");
  std::vector<uint64_t> steps;
  options.on_step = [&](uint64_t step, const Metrics& metrics) {
    steps.push_back(step);
    EXPECT_EQ(metrics.at("policy/logprob_max_abs_diff"), 0.0);
    EXPECT_EQ(metrics.at("staleness"), 0.0);
  };
  const RunOutcome outcome = TrainRing(options);
  EXPECT_EQ(outcome.steps, 4u);
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_EQ(outcome.restarts, 0u);
  EXPECT_TRUE(std::filesystem::exists(outcome.checkpoint / "model.safetensors"));
  EXPECT_EQ(steps, (std::vector<uint64_t>{1, 2, 3, 4}));
  const LedgerTotals ledger = CheckedLedger(options.folder, 5);
  EXPECT_EQ(ledger.lines, 4u);
  EXPECT_EQ(ledger.trained, 20u);
  EXPECT_EQ(ledger.reissued, 0u);
  EXPECT_EQ(ledger.duplicates, 0u);
}

TEST_F(RingTest, WorkersThreadsAndAddressDoNotChangeTheBits) {
  TrainRing(tiny_.Options("one"));
  RunOptions three = tiny_.Options("three");
  three.config.rollout.workers = 3;
  TrainRing(three);
  RunOptions threads = tiny_.Options("threads");
  threads.config.rollout.workers = 2;
  threads.threads = 2;
  TrainRing(threads);
  RunOptions ipc = tiny_.Options("ipc");
  ipc.address = "ipc:///tmp/hone-ring-test-" + std::to_string(getpid());
  TrainRing(ipc);
  const auto bits = Bits(tiny_.Folder("one"));
  EXPECT_GE(bits.size(), 4u + 5u);
  EXPECT_TRUE(bits == Bits(tiny_.Folder("three")));
  EXPECT_TRUE(bits == Bits(tiny_.Folder("threads")));
  EXPECT_TRUE(bits == Bits(tiny_.Folder("ipc")));
}

TEST_F(RingTest, AnotherSeedGivesOtherBits) {
  TrainRing(tiny_.Options("one"));
  RunOptions other = tiny_.Options("other");
  other.config.run.seed = 12;
  TrainRing(other);
  EXPECT_FALSE(Bits(tiny_.Folder("one")) == Bits(tiny_.Folder("other")));
}

TEST_F(RingTest, ABatchMayServeSeveralSteps) {
  RunOptions options = tiny_.Options("run");
  options.config.algorithm.num_iterations = 2;
  options.config.run.steps = 6;
  const RunOutcome outcome = TrainRing(options);
  EXPECT_EQ(outcome.steps, 6u);
  EXPECT_EQ(CheckedLedger(options.folder, 5).lines, 3u);
}

TEST_F(RingTest, AnInterruptedRunGoesOnToTheSameBits) {
  TrainRing(tiny_.Options("whole"));
  std::atomic<bool> interrupt{false};
  RunOptions options = tiny_.Options("halves");
  options.interrupt = &interrupt;
  options.on_step = [&](uint64_t step, const Metrics&) {
    if (step == 1) interrupt = true;
  };
  const RunOutcome first = TrainRing(options);
  EXPECT_TRUE(first.interrupted);
  EXPECT_LT(first.steps, 4u);
  EXPECT_TRUE(std::filesystem::exists(first.checkpoint / "trainer"));
  EXPECT_EQ(CheckedLedger(options.folder, 5).lines, first.steps);

  interrupt = false;
  options.resume = true;
  const RunOutcome second = TrainRing(options);
  EXPECT_FALSE(second.interrupted);
  EXPECT_EQ(second.steps, 4u);
  EXPECT_TRUE(Bits(tiny_.Folder("whole")) == Bits(tiny_.Folder("halves")));
  EXPECT_EQ(CheckedLedger(options.folder, 5).lines, 4u);

  // Once more: there is nothing left to do.
  const RunOutcome third = TrainRing(options);
  EXPECT_EQ(third.steps, 4u);
  EXPECT_EQ(third.checkpoint, second.checkpoint);
}

TEST_F(RingTest, WhatIsWrongBeforeTheStartKeepsItsExitCode) {
  RunOptions model = tiny_.Options("a");
  model.config.policy.model = "/nowhere";
  EXPECT_THROW(TrainRing(model), FileError);
  RunOptions data = tiny_.Options("b");
  data.config.data.train = {"/nowhere.jsonl"};
  EXPECT_THROW(TrainRing(data), FileError);
  RunOptions reward = tiny_.Options("c");
  reward.rewards[0].verifier = "exact_mach";
  EXPECT_THROW(TrainRing(reward), UsageError);
  RunOptions workers = tiny_.Options("d");
  workers.config.rollout.workers = 0;
  EXPECT_THROW(TrainRing(workers), UsageError);
}

}  // namespace
}  // namespace hone
