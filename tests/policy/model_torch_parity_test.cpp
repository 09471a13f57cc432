// exact against torch: two implementations of the same model, by different hands of arithmetic.
#include <algorithm>

#include "common/error.h"
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
  std::unique_ptr<Backend> Float64(const std::shared_ptr<const Weights>& weights) const {
    return NewBackend(config_, {.name = "torch", .threads = 2, .float64 = true}, weights);
  }
};

struct InDouble {
  std::vector<double> logprobs, entropies;
};

InDouble Score(Backend& float64, const TrainingBatch& batch, double temperature) {
  InDouble result{std::vector<double>(batch.targets.size()),
                  std::vector<double>(batch.targets.size())};
  const auto cache = float64.NewCache(batch.pages, batch.batch.page_size);
  float64.ForwardLogprobsInDouble(batch.batch, *cache, batch.targets, temperature, result.logprobs,
                                  result.entropies);
  return result;
}

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

TEST_P(ModelTorchParityTest, InDoubleAgreesWithExactAndRoundsToWhatIsGivenAsFloats) {
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 14, 40, {70, 19, 1}), &batch);
  const auto float64 = Float64(weights_);
  const InDouble doubles = Score(*float64, batch, 0.75);
  const Result exact = RunTraining(*exact_, batch, 0.75f),
               floats = RunTraining(*float64, batch, 0.75f);
  size_t rounded = 0;
  for (size_t i = 0; i < batch.targets.size(); ++i) {
    EXPECT_NEAR(doubles.logprobs[i], exact.logprobs[i], 1e-4) << "target " << i;
    EXPECT_NEAR(doubles.entropies[i], exact.entropies[i], 1e-4) << "target " << i;
    EXPECT_EQ(static_cast<float>(doubles.logprobs[i]), floats.logprobs[i]) << "target " << i;
    EXPECT_EQ(static_cast<float>(doubles.entropies[i]), floats.entropies[i]) << "target " << i;
    rounded += doubles.logprobs[i] != floats.logprobs[i];
  }
  EXPECT_GT(rounded, batch.targets.size() / 2);
}

// Of a smooth function f(x - h) - 2 f(x) + f(x + h) goes as h^2. A step in float32 between the
// embedding and the log-probability would leave it at some 1e-7.
TEST_P(ModelTorchParityTest, InDoubleNoStepOfTheForwardIsRoundedToFloat) {
  TrainingBatch batch;
  AddUnshared(RandomGroup(config_, 15, 30, {25}), &batch);
  constexpr float kStep = 0x1p-22f;
  const WeightsLayout layout = MakeLayout(config_);
  InDouble at[3];
  for (int i = 0; i < 3; ++i) {
    Buffer<float> data;
    data.Reserve(weights_->data.size());
    std::copy(weights_->data.begin(), weights_->data.end(), data.begin());
    for (int64_t w = 0; w < layout.tensors[0].size; ++w) {
      const float x = std::round(data[w] / kStep) * kStep;  // so that the steps are exact
      data[w] = x + static_cast<float>(i - 1) * (w % 3 == 0 ? -kStep : kStep);
    }
    at[i] = Score(*Float64(MakeWeights(layout, std::move(data), 1)), batch, 0.7);
  }
  double moved = 0;
  for (size_t t = 0; t < batch.targets.size(); ++t) {
    EXPECT_NEAR(at[0].logprobs[t] - 2 * at[1].logprobs[t] + at[2].logprobs[t], 0, 2e-9)
        << "target " << t;
    moved = std::max(moved, std::fabs(at[2].logprobs[t] - at[0].logprobs[t]));
  }
  EXPECT_GT(moved, 1e-7);
}

TEST_P(ModelTorchParityTest, BackendsInFloatHaveNothingInDouble) {
  TrainingBatch batch;
  AddUnshared(RandomGroup(config_, 16, 5, {3}), &batch);
  EXPECT_THROW(Score(*exact_, batch, 1), RunError);
  EXPECT_THROW(Score(*torch_, batch, 1), RunError);
}

INSTANTIATE_TEST_SUITE_P(Families, ModelTorchParityTest, testing::ValuesIn(Families()), FamilyName);

}  // namespace
}  // namespace hone
