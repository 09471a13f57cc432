// A policy of bf16 is the fp32 policy of the rounded matrices, to the bit.
#include <numeric>

#include "model_fixtures.h"
#include "policy/files/rounding.h"
#include "policy/model/compare.h"
#include "policy/model/round_matrices.h"

namespace hone {
namespace {

std::shared_ptr<const Weights> Rounded(const WeightsLayout& layout, const Weights& weights) {
  ThreadPool pool(2);
  Buffer<float> data(weights.data.size());
  RoundMatrices(layout, weights.data, &pool, data.span());
  return MakeWeights(layout, std::move(data), 1);
}

TEST(RoundMatricesTest, RoundsAsAnExportDoesAndLeavesNormsAndBiases) {
  ThreadPool pool(3);
  for (const Family& family : Families()) {
    const ModelConfig config = ConfigOf(family);
    const WeightsLayout layout = MakeLayout(config);
    const auto weights = RandomWeights(config, 5), rounded = Rounded(layout, *weights);
    const Buffer<float> exported = RoundWeights(layout, weights->data, FloatType::kBf16, &pool);
    for (const TensorSpec& tensor : layout.tensors) {
      const auto at = static_cast<size_t>(tensor.offset), size = static_cast<size_t>(tensor.size);
      const auto found = rounded->data.subspan(at, size), master = weights->data.subspan(at, size);
      const auto expected =
          tensor.shape.size() == 1 ? master : std::as_const(exported).span().subspan(at, size);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin())) << tensor.name;
      if (tensor.shape.size() > 1) {
        EXPECT_FALSE(std::equal(master.begin(), master.end(), found.begin())) << tensor.name;
      }
    }
  }
}

class ModelDtypeTest : public testing::TestWithParam<Family> {
 protected:
  const ModelConfig config_ = ConfigOf(GetParam());
  const std::shared_ptr<const Weights> weights_ = RandomWeights(config_, 5),
                                       rounded_ = Rounded(MakeLayout(config_), *weights_);
  const std::unique_ptr<Backend> bf16_ =
      NewBackend(config_, {.dtype = "bf16", .threads = 2}, weights_);

  TrainingBatch Groups() const {
    TrainingBatch batch;
    AddShared(RandomGroup(config_, 11, 21, {5, 19, 1, 12}), &batch);
    AddShared(RandomGroup(config_, 12, 32, {3, 17}), &batch);
    return batch;
  }
};

TEST_P(ModelDtypeTest, Bf16IsTheFp32PolicyOfTheRoundedMatricesToTheBit) {
  const TrainingBatch batch = Groups();
  const auto dlogprobs = RandomFloats(1, batch.targets.size()),
             dentropies = RandomFloats(2, batch.targets.size());
  const Result found = RunTraining(*bf16_, batch, 0.8f, dlogprobs, dentropies);
  const Result expected = RunTraining(*NewBackend(config_, {.threads = 1}, rounded_), batch, 0.8f,
                                      dlogprobs, dentropies);
  EXPECT_EQ(found.logprobs, expected.logprobs);
  EXPECT_EQ(found.entropies, expected.entropies);
  EXPECT_EQ(found.grads, expected.grads);
}

// They share what they pack by the memory of the weights, which is the same.
TEST_P(ModelDtypeTest, BackendsOfBothDtypesWithTheSameWeightsKeepApart) {
  const TrainingBatch batch = Groups();
  const auto f32 = NewBackend(config_, {.threads = 2}, weights_);
  const Result plain = RunTraining(*f32, batch, 1.0f), narrow = RunTraining(*bf16_, batch, 1.0f);
  EXPECT_NE(plain.logprobs, narrow.logprobs);
  const auto both = NewBackend(config_, {.dtype = "bf16", .threads = 1}, weights_);
  EXPECT_EQ(RunTraining(*both, batch, 1.0f).logprobs, narrow.logprobs);
  EXPECT_EQ(RunTraining(*NewBackend(config_, {.threads = 1}, weights_), batch, 1.0f).logprobs,
            plain.logprobs);
  bf16_->SetWeights(RandomWeights(config_, 6));  // what it had packed is the other's now
  EXPECT_NE(RunTraining(*bf16_, batch, 1.0f).logprobs, narrow.logprobs);
  EXPECT_EQ(RunTraining(*both, batch, 1.0f).logprobs, narrow.logprobs);
}

TEST_P(ModelDtypeTest, TorchRoundsTheSameMatrices) {
  const auto torch =
                 NewBackend(config_, {.name = "torch", .dtype = "bf16", .threads = 2}, weights_),
             of_rounded = NewBackend(config_, {.name = "torch", .threads = 2}, rounded_);
  const auto tokens = RandomTokens(config_, 7, 120);
  EXPECT_LT(CompareBackends(*bf16_, *torch, tokens).max_logprob_diff, 1e-4);
  const TrainingBatch batch = Groups();
  EXPECT_EQ(RunTraining(*torch, batch, 1.0f).logprobs,
            RunTraining(*of_rounded, batch, 1.0f).logprobs);
  torch->SetWeights(RandomWeights(config_, 6));
  EXPECT_GT(CompareBackends(*bf16_, *torch, tokens).max_logprob_diff, 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Families, ModelDtypeTest, testing::ValuesIn(Families()), FamilyName);

}  // namespace
}  // namespace hone
