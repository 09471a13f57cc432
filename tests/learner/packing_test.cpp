#include "learner/packing.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "fixtures.h"
#include "learner/batch_arrays.h"

namespace hone {
namespace {

std::vector<int32_t> All(const BatchArrays& arrays) {
  std::vector<int32_t> all(arrays.groups().size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  return all;
}

// Plays a packed batch's writes and copies on a cache of tokens, then reads, for each row, the
// tokens its sequence sees: what attention would.
std::vector<std::vector<int32_t>> Contexts(const PackedBatch& packed) {
  const Batch& batch = packed.batch;
  std::map<std::pair<int32_t, int32_t>, int32_t> slots;  // (page, slot): token
  for (const SequenceSpan& span : batch.spans) {
    for (int32_t r = 0; r < span.rows; ++r) {
      const int32_t position = span.position + r;
      const int32_t page = batch.pages.at(span.first_page + position / kDefaultPageSize);
      const bool fresh = slots
                             .emplace(std::pair(page, position % kDefaultPageSize),
                                      batch.tokens_T.at(span.first_row + r))
                             .second;
      EXPECT_TRUE(fresh) << "two rows write one slot";
    }
  }
  for (const PageCopy& copy : batch.copies) {
    for (int32_t s = 0; s < copy.slots; ++s) slots[{copy.target, s}] = slots.at({copy.source, s});
  }
  std::vector<std::vector<int32_t>> contexts(static_cast<size_t>(batch.rows()));
  for (const SequenceSpan& span : batch.spans) {
    for (int32_t r = 0; r < span.rows; ++r) {
      for (int32_t p = 0; p <= span.position + r; ++p) {
        contexts[span.first_row + r].push_back(slots.at(
            {batch.pages.at(span.first_page + p / kDefaultPageSize), p % kDefaultPageSize}));
      }
    }
  }
  return contexts;
}

void ExpectWhole(const StepBatch& batch, const std::vector<PackedBatch>& packs) {
  std::set<std::pair<int32_t, int32_t>> seen;
  for (const PackedBatch& packed : packs) {
    const auto contexts = Contexts(packed);
    int32_t row = 0;
    for (const SequenceSpan& span : packed.batch.spans) {
      EXPECT_EQ(span.first_row, row) << "spans cover the rows in order";
      row += span.rows;
    }
    EXPECT_EQ(row, packed.batch.rows());
    for (const int32_t page : packed.batch.pages) EXPECT_LT(page, packed.pages);
    for (const PackedCompletion& part : packed.completions) {
      EXPECT_TRUE(seen.emplace(part.group, part.sample).second) << "a completion stands once";
      const RolloutGroup& group = batch.groups[part.group].rollout;
      std::vector<int32_t> context = group.task.prompt_tokens;
      const auto& tokens = group.completions[part.sample].tokens;
      for (size_t t = 0; t < tokens.size(); ++t) {
        const Target& target = packed.targets.at(part.first_target + t);
        EXPECT_EQ(target.target, tokens[t]);
        EXPECT_EQ(contexts.at(target.row), context)
            << "group " << part.group << " sample " << part.sample;
        context.push_back(tokens[t]);
      }
    }
  }
  size_t completions = 0;
  for (const ScoredGroup& group : batch.groups) completions += group.rollout.completions.size();
  EXPECT_EQ(seen.size(), completions);
}

TEST(PackingTest, EveryTargetSeesItsPromptAndCompletionWhateverTheLimit) {
  const StepBatch batch = testing::RandomBatch(3, 6, 4);
  const BatchArrays arrays(batch, false);
  for (const int64_t rows : {1, 20, 60, 100, 200, 100000}) {
    SCOPED_TRACE(rows);
    ExpectWhole(batch, Pack(arrays.groups(), All(arrays), rows));
  }
}

TEST(PackingTest, APromptStandsOnceAndTheLastTokenIsNoRow) {
  StepBatch batch = testing::RandomBatch(3, 1, 3);
  const BatchArrays arrays(batch, false);
  const auto packs = Pack(arrays.groups(), All(arrays), 100000);
  ASSERT_EQ(packs.size(), 1u);
  size_t rows = batch.groups[0].rollout.task.prompt_tokens.size();
  for (const Completion& completion : batch.groups[0].rollout.completions)
    rows += completion.tokens.size() - 1;
  EXPECT_EQ(static_cast<size_t>(packs[0].batch.rows()), rows);
}

TEST(PackingTest, WholeGroupsShareABatchWhileTheyFit) {
  const StepBatch batch = testing::RandomBatch(5, 4, 2);
  const BatchArrays arrays(batch, false);
  const auto whole = Pack(arrays.groups(), All(arrays), 100000);
  ASSERT_EQ(whole.size(), 1u);
  const int32_t rows = whole[0].batch.rows();
  EXPECT_EQ(Pack(arrays.groups(), All(arrays), rows).size(), 1u);
  const auto cut = Pack(arrays.groups(), All(arrays), rows - 1);
  EXPECT_EQ(cut.size(), 2u);
  int32_t sum = 0;
  for (const PackedBatch& packed : cut) sum += packed.batch.rows();
  EXPECT_EQ(sum, rows) << "no prompt was repeated";
}

TEST(PackingTest, ALimitIsKeptUnlessOneCompletionNeedsMore) {
  const StepBatch batch = testing::RandomBatch(7, 6, 6);
  const BatchArrays arrays(batch, false);
  for (const int64_t limit : {40, 64, 90}) {
    for (const PackedBatch& packed : Pack(arrays.groups(), All(arrays), limit)) {
      if (packed.completions.size() == 1) continue;
      EXPECT_LE(packed.batch.rows(), limit);
    }
  }
}

TEST(PackingTest, OnlyTheGroupsAskedForTakePart) {
  const StepBatch batch = testing::RandomBatch(7, 4, 2);
  const BatchArrays arrays(batch, false);
  const std::vector<int32_t> use = {1, 3};
  for (const PackedBatch& packed : Pack(arrays.groups(), use, 100000)) {
    for (const PackedCompletion& part : packed.completions)
      EXPECT_TRUE(part.group == 1 || part.group == 3);
    EXPECT_EQ(packed.completions.size(), 4u);
  }
}

}  // namespace
}  // namespace hone
