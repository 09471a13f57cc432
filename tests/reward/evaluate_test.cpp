#include "reward/evaluate.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>

#include "common/error.h"
#include "tiny_policy.h"

namespace hone {
namespace {

constexpr int kPrompts = 40;

// A small random policy, and problems whose answer is what it most often says first.
class EvaluateTest : public ::testing::Test {
 protected:
  EvaluateTest() : backend_(TinyBackend()) {
    model_.config = TinyConfig();
    model_.tokenizer = TinyTokenizer();
    options_.generation.max_tokens = 1;
    options_.generation.sampling.temperature = 0.4f;
    options_.generation.seed = 3;
    options_.k = {1, 2, 5};
    options_.num_generations = 6;
    for (int i = 0; i < kPrompts; ++i) {
      PromptRow row;
      row.prompt = "problem " + std::to_string(i * i);
      row.prompt_tokens = model_.tokenizer->Encode(row.prompt);
      row.columns = Json{{"prompt", row.prompt}, {"answer", "nothing like it"}}.dump();
      rows_.push_back(row);
    }
    for (const ScoredGroup& group : Run().groups) {
      std::map<std::string, int> said;
      for (const Completion& completion : group.rollout.completions) ++said[Text(completion)];
      std::string answer = said.begin()->first;
      for (const auto& [text, count] : said) answer = count > said[answer] ? text : answer;
      const uint64_t index = group.rollout.task.group_id;
      if (index % 4 != 0)
        rows_[index].columns = Dump(Json{{"answer", answer}});  // the others stay wrong
    }
  }

  std::string Text(const Completion& completion) const {
    return model_.tokenizer->Decode(completion.tokens, true);
  }
  EvalResult Run() const {
    RewardConfig match, random;
    match.verifier = "exact_match";
    match.weight = 0.75;
    match.options = {{"extract", "none"}};
    random.verifier = "random";
    random.weight = 0.25;
    const Scorer scorer({match, random}, 3, model_.tokenizer);
    return Evaluate(*backend_, model_, rows_, scorer, options_);
  }

  std::unique_ptr<Backend> backend_;
  ModelFolder model_;
  std::vector<PromptRow> rows_;
  EvalOptions options_;
};

// The share of all subsets of k samples that hold one which passes, by going through them.
double PassAtKBySubsets(const std::vector<float>& rewards, int k) {
  int subsets = 0, passing = 0;
  for (uint32_t subset = 0; subset < (1u << rewards.size()); ++subset) {
    if (std::popcount(subset) != k) continue;
    ++subsets;
    bool pass = false;
    for (size_t i = 0; i < rewards.size(); ++i) pass |= (subset >> i & 1) && rewards[i] >= 1;
    passing += pass;
  }
  return static_cast<double>(passing) / subsets;
}

TEST_F(EvaluateTest, PassAtKIsTheShareOfSubsetsWithASampleThatPasses) {
  const EvalResult result = Run();
  ASSERT_EQ(result.pass_at_k.size(), 3u);
  for (const auto& [k, interval] : result.pass_at_k) {
    double sum = 0;
    for (const ScoredGroup& group : result.groups) sum += PassAtKBySubsets(group.rewards_VG[0], k);
    EXPECT_NEAR(interval.value, sum / kPrompts, 1e-12);
    EXPECT_GT(interval.value, 0.2);
    EXPECT_LT(interval.value, 0.8);
  }
  EXPECT_LT(result.pass_at_k[0].second.value, result.pass_at_k[1].second.value);
}

TEST_F(EvaluateTest, GroupsAreScoredInOrderOfPromptWithTheirWeights) {
  const EvalResult result = Run();
  EXPECT_EQ(result.prompts, kPrompts);
  ASSERT_EQ(result.groups.size(), rows_.size());
  double reward = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const ScoredGroup& group = result.groups[i];
    EXPECT_EQ(group.rollout.task.group_id, i);
    EXPECT_EQ(group.rollout.task.prompt_tokens, rows_[i].prompt_tokens);
    ASSERT_EQ(group.rollout.completions.size(), 6u);
    for (size_t j = 0; j < 6; ++j) {
      EXPECT_NEAR(group.rewards_G[j], 0.75 * group.rewards_VG[0][j] + 0.25 * group.rewards_VG[1][j],
                  1e-6);
      reward += group.rewards_G[j];
    }
  }
  EXPECT_NEAR(result.reward.value, reward / (6 * kPrompts), 1e-9);
}

TEST_F(EvaluateTest, TheIntervalIsAsWideAsTheSpreadOverPrompts) {
  const EvalResult result = Run();
  std::vector<double> means;
  for (const ScoredGroup& group : result.groups) {
    double sum = 0;
    for (const float reward : group.rewards_G) sum += reward;
    means.push_back(sum / 6);
  }
  double variance = 0;
  for (const double mean : means) variance += std::pow(mean - result.reward.value, 2) / kPrompts;
  const double half = 1.96 * std::sqrt(variance / kPrompts);
  EXPECT_NEAR(result.reward.value - result.reward.low, half, 0.15 * half);
  EXPECT_NEAR(result.reward.high - result.reward.value, half, 0.15 * half);
  // Every completion has one token.
  EXPECT_EQ(result.length.value, 1);
  EXPECT_EQ(result.length.low, 1);
  EXPECT_EQ(result.length.high, 1);
}

TEST_F(EvaluateTest, IsTheSameAgainAndUnderOtherLimits) {
  const EvalResult first = Run();
  options_.limits.max_sequences = 3;
  options_.limits.max_batch_tokens = 5;
  const EvalResult again = Run();
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(first.pass_at_k[k].second.low, again.pass_at_k[k].second.low);
    EXPECT_EQ(first.pass_at_k[k].second.value, again.pass_at_k[k].second.value);
    EXPECT_EQ(first.pass_at_k[k].second.high, again.pass_at_k[k].second.high);
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    EXPECT_EQ(first.groups[i].rewards_G, again.groups[i].rewards_G);
  }
}

TEST_F(EvaluateTest, TakesAsManySamplesAsTheLargestKNeeds) {
  options_.num_generations = 0;
  EXPECT_EQ(Run().groups[0].rollout.completions.size(), 5u);
  options_.k = {1};
  EXPECT_EQ(Run().groups[0].rollout.completions.size(), 1u);
}

TEST_F(EvaluateTest, RefusesWhatItCannotEstimate) {
  options_.k = {};
  EXPECT_THROW(Run(), UsageError);
  options_.k = {0};
  EXPECT_THROW(Run(), UsageError);
  options_.k = {1};
  rows_.clear();
  EXPECT_THROW(Run(), UsageError);
}

}  // namespace
}  // namespace hone
