#include "model_fixtures.h"
#include "policy/model/plan_parts.h"

namespace hone {
namespace {

const ModelConfig kConfig = ConfigOf(Families()[0]);

class PlanPartsTest : public testing::Test {
 protected:
  // A decode of one token at position 20 for each pair of pages.
  void AddDecodes(std::initializer_list<std::vector<int32_t>> pages) {
    for (const auto& of_one : pages) batch_.AddSpan(RandomTokens(kConfig, 1, 1), 20, of_one);
  }
  bool Cut(int threads, int64_t least_rows = 1) {
    plan_.Prepare(batch_.batch, kConfig, CacheOf(100, 16));
    return parts_.Cut(plan_, threads, least_rows);
  }

  TrainingBatch batch_;
  BatchPlan plan_;
  PlanParts parts_;
};

TEST_F(PlanPartsTest, SamplesBehindOnePromptAreApart) {
  AddDecodes({{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}});
  ASSERT_TRUE(Cut(2));
  ASSERT_EQ(parts_.parts.size(), 2u);
  EXPECT_EQ(parts_.parts[0].spans, 2);
  EXPECT_EQ(parts_.parts[1].first_span, 2);
  EXPECT_EQ(parts_.parts[1].first_row, 2);
  EXPECT_EQ(parts_.parts[1].rows, 3);
  EXPECT_EQ(parts_.parts[1].spans, 3);
}

TEST_F(PlanPartsTest, SpansOfManyRowsAreCutWhereSharesAreNearest) {
  for (const int32_t rows : {30, 10, 10, 34}) {
    batch_.AddSpan(RandomTokens(kConfig, 1, static_cast<size_t>(rows)), 0,
                   batch_.NewPages(batch_.PagesOf(rows)));
  }
  ASSERT_TRUE(Cut(2));
  EXPECT_EQ(parts_.parts[0].rows, 40);
  EXPECT_EQ(parts_.parts[1].rows, 44);
  EXPECT_FALSE(Cut(4)) << "34 of 84 rows are more than a quarter";
}

TEST_F(PlanPartsTest, WhoReadsWhatAnotherWritesIsNotApart) {
  AddDecodes({{0, 1}, {0, 2}});
  batch_.AddSpan(RandomTokens(kConfig, 1, 1), 3, {0});  // writes to the page that both read
  batch_.AddSpan(RandomTokens(kConfig, 1, 1), 3, {4});
  EXPECT_FALSE(Cut(2));
}

TEST_F(PlanPartsTest, TwoWhoWriteOnePageAreNotApart) {
  AddDecodes({{0, 1}, {2, 1}});
  EXPECT_FALSE(Cut(2));
}

TEST_F(PlanPartsTest, ACopyIsForAllThreads) {
  AddDecodes({{0, 1}, {2, 3}});
  ASSERT_TRUE(Cut(2));
  batch_.batch.copies.push_back({5, 3, 4});
  EXPECT_FALSE(Cut(2));
}

TEST_F(PlanPartsTest, FewRowsOrOneThreadAreNotCut) {
  AddDecodes({{0, 1}, {2, 3}, {4, 5}, {6, 7}});
  EXPECT_TRUE(Cut(2, 2));
  EXPECT_FALSE(Cut(2, 3));
  EXPECT_FALSE(Cut(1));
}

}  // namespace
}  // namespace hone
