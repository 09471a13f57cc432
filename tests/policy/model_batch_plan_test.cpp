#include "model_fixtures.h"
#include "policy/model/batch_plan.h"

namespace hone {
namespace {

const ModelConfig kConfig = ConfigOf(Families()[0]);

// A prompt of 70 positions in pages of 64, and a sample of one token more on pages of its own.
TrainingBatch TwoSpans() {
  TrainingBatch batch;
  batch.batch.page_size = 64;
  batch.AddSpan(RandomTokens(kConfig, 1, 70), 0, {3, 1});
  batch.AddSpan(RandomTokens(kConfig, 2, 1), 70, {3, 2});
  batch.batch.copies.push_back({1, 2, 21});
  return batch;
}

TEST(BatchPlanTest, PagesAndCopiesBecomeBlocksOfTheKernels) {
  BatchPlan plan;
  plan.Prepare(TwoSpans().batch, kConfig, CacheOf(4, 64));
  ASSERT_EQ(plan.spans.size(), 2u);
  const auto blocks = [&](size_t span) {
    return std::vector<int32_t>(plan.spans[span].pages, plan.spans[span].pages + 5);
  };
  EXPECT_EQ(blocks(0), (std::vector<int32_t>{12, 13, 14, 15, 4}));
  EXPECT_EQ(blocks(1), (std::vector<int32_t>{12, 13, 14, 15, 8}));
  EXPECT_EQ(plan.used_blocks, 16);
  ASSERT_EQ(plan.copies.size(), 2u);
  EXPECT_EQ(plan.copies[0].source, 4);
  EXPECT_EQ(plan.copies[0].target, 8);
  EXPECT_EQ(plan.copies[0].slots, 16);
  EXPECT_EQ(plan.copies[1].source, 5);
  EXPECT_EQ(plan.copies[1].target, 9);
  EXPECT_EQ(plan.copies[1].slots, 5);
}

TEST(BatchPlanTest, OnlyACopyOrASharedPageMakesOneComponent) {
  TrainingBatch batch = TwoSpans();
  batch.AddSpan(RandomTokens(kConfig, 3, 20), 0, {0});
  batch.batch.pages[2] = 4;  // so that nothing but the copy joins prompt and sample
  BatchPlan plan;
  std::vector<int32_t> component_of_span;
  plan.Prepare(batch.batch, kConfig, CacheOf(5, 64));
  EXPECT_EQ(FindComponents(plan, &component_of_span), 2);
  EXPECT_EQ(component_of_span, (std::vector<int32_t>{0, 0, 1}));
}

TEST(BatchPlanTest, MemoryIsKeptFromBatchToBatch) {
  const TrainingBatch batch = TwoSpans();
  BatchPlan plan;
  plan.Prepare(batch.batch, kConfig, CacheOf(4, 64));
  const void* before[] = {plan.positions_T.data(), plan.spans.data(), plan.blocks.data(),
                          plan.copies.data()};
  plan.Prepare(batch.batch, kConfig, CacheOf(4, 64));
  const void* after[] = {plan.positions_T.data(), plan.spans.data(), plan.blocks.data(),
                         plan.copies.data()};
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(before[i], after[i]) << i;
}

}  // namespace
}  // namespace hone
