#include "actors/open_batch.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

constexpr Hash128 kWeights{1, 2};

PromptTask Task() { return {41, 5, 6, 2, {7, 8}, "1+1=", "{}"}; }

RolloutGroup Answer() {
  const Completion sample{{9}, {-1.0f}, {1.0f}, FinishReason::kStop, 6, kWeights};
  return {Task(), {sample, sample}};
}

OpenBatch Batch() {
  OpenBatch batch(BatchCredit{5, 6, 40, 8}, kWeights, 2);
  batch.Add(Task(), Encode(Task()));
  return batch;
}

TEST(OpenBatchTest, TakesTheAnswerToItsTask) {
  EXPECT_EQ(Batch().Check(Task()), std::nullopt);
  EXPECT_EQ(Batch().Check(Answer()), std::nullopt);
}

TEST(OpenBatchTest, RefusesATaskOfAnotherBatch) {
  PromptTask version = Task();
  version.version = 7;
  EXPECT_TRUE(Batch().Check(version));
  PromptTask step = Task();
  step.step = 4;
  EXPECT_TRUE(Batch().Check(step));
  PromptTask samples = Task();
  samples.num_generations = 3;
  EXPECT_TRUE(Batch().Check(samples));
}

TEST(OpenBatchTest, RefusesSamplesOfStaleOrCorruptWeights) {
  RolloutGroup stale = Answer();
  stale.completions[1].version = 5;
  EXPECT_NE(Batch().Check(stale).value_or("").find("version 5"), std::string::npos);
  RolloutGroup corrupt = Answer();
  corrupt.completions[1].fingerprint.low ^= 1;
  EXPECT_NE(Batch().Check(corrupt).value_or("").find("fingerprint"), std::string::npos);
}

TEST(OpenBatchTest, RefusesAnAnswerToAnotherPrompt) {
  RolloutGroup other = Answer();
  other.task.prompt_tokens = {7, 9};
  EXPECT_TRUE(Batch().Check(other));
  RolloutGroup unasked = Answer();
  unasked.task.group_id = 42;
  EXPECT_TRUE(Batch().Check(unasked));
  RolloutGroup short_one = Answer();
  short_one.completions.pop_back();
  EXPECT_TRUE(Batch().Check(short_one));
}

}  // namespace
}  // namespace hone
