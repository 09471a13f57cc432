// exact against torch: two implementations of the same model, by different hands of arithmetic.
#include "model_fixtures.h"
#include "policy/model/compare.h"

namespace hone {
namespace {

class ModelTorchParityTest : public testing::TestWithParam<Family> {
 protected:
  const ModelConfig config_ = ConfigOf(GetParam());
  const std::shared_ptr<const Weights> weights_ = RandomWeights(config_, 5);
  const std::unique_ptr<Backend> exact_ = NewBackend(config_, {.threads = 2}, weights_);
  const std::unique_ptr<Backend> torch_ =
      NewBackend(config_, {.name = "torch", .threads = 2}, weights_);
};

TEST_P(ModelTorchParityTest, LogprobsAndEntropiesAgree) {
  const auto comparison = CompareBackends(*exact_, *torch_, RandomTokens(config_, 7, 150));
  EXPECT_LT(comparison.max_logprob_diff, 1e-4);
  EXPECT_LT(comparison.max_entropy_diff, 1e-4);
  EXPECT_GT(comparison.mean_logprob_diff, 0);  // no number was compared with itself
}

TEST_P(ModelTorchParityTest, GroupsThatShareTheirPromptAgreeAtAnyTemperature) {
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 11, 21, {5, 19, 1, 12}), &batch);
  AddShared(RandomGroup(config_, 12, 32, {3, 17}), &batch);
  for (const float temperature : {0.7f, 1.0f, 1.6f}) {
    const Result a = RunTraining(*exact_, batch, temperature),
                 b = RunTraining(*torch_, batch, temperature);
    for (size_t i = 0; i < batch.targets.size(); ++i) {
      EXPECT_NEAR(a.logprobs[i], b.logprobs[i], 1e-4)
          << "target " << i << " at temperature " << temperature;
      EXPECT_NEAR(a.entropies[i], b.entropies[i], 1e-4)
          << "target " << i << " at temperature " << temperature;
    }
  }
}

TEST_P(ModelTorchParityTest, PrefillCopyAndDecodeThroughTheCacheAgree) {
  const std::vector<int32_t> tokens = RandomTokens(config_, 13, 40);
  std::vector<std::vector<float>> logits;
  for (Backend* backend : {exact_.get(), torch_.get()}) {
    const bool large = backend == torch_.get();  // exact's are of 16 positions
    const int32_t page_size = large ? 32 : 16;
    const auto cache = backend->NewCache(8, page_size);
    TrainingBatch prefill;
    prefill.batch.page_size = page_size;
    prefill.AddSpan(std::span(tokens).first(37), 0,
                    large ? std::vector<int32_t>{6, 3} : std::vector<int32_t>{6, 1, 3});
    auto& out = logits.emplace_back(static_cast<size_t>(3 * config_.vocab_size));
    backend->Forward(prefill.batch, *cache, {}, {});
    for (int32_t i = 0; i < 3; ++i) {  // decode in a copy of the last page
      TrainingBatch step;
      step.batch.page_size = page_size;
      step.AddSpan(std::span(tokens).subspan(static_cast<size_t>(37 + i), 1), 37 + i,
                   large ? std::vector<int32_t>{6, 4} : std::vector<int32_t>{6, 1, 4});
      if (i == 0) step.batch.copies.push_back({3, 4, 37 % page_size});
      const std::vector<int32_t> rows = {0};
      backend->Forward(step.batch, *cache, rows,
                       std::span(out).subspan(static_cast<size_t>(i * config_.vocab_size),
                                              static_cast<size_t>(config_.vocab_size)));
    }
  }
  for (size_t i = 0; i < logits[0].size(); ++i) ASSERT_NEAR(logits[0][i], logits[1][i], 1e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(Families, ModelTorchParityTest, testing::ValuesIn(Families()), FamilyName);

}  // namespace
}  // namespace hone
