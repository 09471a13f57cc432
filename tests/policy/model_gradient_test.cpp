#include <cstring>

#include "model_fixtures.h"

namespace hone {
namespace {

// |a - b| / |b| over a part of the flat arrays.
double RelativeError(std::span<const float> a, std::span<const float> b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

class ModelGradientTest : public testing::TestWithParam<Family> {
 protected:
  void ExpectClose(std::span<const float> grads, std::span<const float> expected,
                   double tolerance) {
    const WeightsLayout layout = MakeLayout(config_);
    for (const TensorSpec& tensor : layout.tensors) {
      const auto at = static_cast<size_t>(tensor.offset), size = static_cast<size_t>(tensor.size);
      EXPECT_LT(RelativeError(grads.subspan(at, size), expected.subspan(at, size)), tolerance)
          << tensor.name;
    }
    EXPECT_LT(RelativeError(grads, expected), tolerance);
  }

  std::unique_ptr<Backend> Autograd() const {
    return NewBackend(config_, {.name = "torch", .threads = 2, .float64 = true}, weights_);
  }

  const ModelConfig config_ = ConfigOf(GetParam());
  const std::shared_ptr<const Weights> weights_ = RandomWeights(config_, 5);
  const std::unique_ptr<Backend> exact_ = NewBackend(config_, {.threads = 2}, weights_);
};

TEST_P(ModelGradientTest, OfLogprobsMatchesAutogradInDouble) {
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 21, 21, {5, 19, 1, 12}), &batch);
  AddShared(RandomGroup(config_, 22, 16, {40, 2}), &batch);
  const auto dlogprobs = RandomFloats(1, batch.targets.size());
  const Result a = RunTraining(*exact_, batch, 1.0f, dlogprobs),
               b = RunTraining(*Autograd(), batch, 1.0f, dlogprobs);
  ExpectClose(a.grads, b.grads, 1e-5);
}

TEST_P(ModelGradientTest, OfEntropiesAtATemperatureMatchesAutogradInDouble) {
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 23, 37, {9, 14, 3}), &batch);
  const auto dlogprobs = RandomFloats(2, batch.targets.size()),
             dentropies = RandomFloats(3, batch.targets.size());
  const Result a = RunTraining(*exact_, batch, 0.8f, dlogprobs, dentropies);
  const Result b = RunTraining(*Autograd(), batch, 0.8f, dlogprobs, dentropies);
  ExpectClose(a.grads, b.grads, 1e-5);
}

TEST_P(ModelGradientTest, OfAGroupThatSharesItsPromptIsThatOfItsSamplesApart) {
  const TestGroup group = RandomGroup(config_, 24, 21, {5, 19, 1, 12});
  TrainingBatch shared, apart;
  AddShared(group, &shared);
  AddUnshared(group, &apart);
  const auto dlogprobs = RandomFloats(4, shared.targets.size());
  const Result a = RunTraining(*exact_, shared, 1.0f, dlogprobs),
               b = RunTraining(*exact_, apart, 1.0f, dlogprobs);
  EXPECT_EQ(a.logprobs, b.logprobs);  // to the bit
  EXPECT_EQ(a.entropies, b.entropies);
  ExpectClose(a.grads, b.grads, 1e-5);  // other order of sums
}

// More targets than the head takes at a time.
TEST_P(ModelGradientTest, IsTheSameBitsForAnyCutOfTheGroupsIntoBatches) {
  std::vector<TestGroup> groups;
  for (uint64_t g = 0; g < 4; ++g)
    groups.push_back(RandomGroup(config_, 30 + g, 10 + 7 * g, {30, 25, 1, 33}));
  TrainingBatch whole;
  std::vector<size_t> ends;
  for (const TestGroup& group : groups) {
    AddShared(group, &whole);
    ends.push_back(whole.targets.size());
  }
  const auto dlogprobs = RandomFloats(5, whole.targets.size()),
             dentropies = RandomFloats(6, whole.targets.size());
  const Result expected = RunTraining(*exact_, whole, 0.9f, dlogprobs, dentropies);
  for (const std::vector<size_t>& cut : {std::vector<size_t>{1, 4}, {2, 4}, {1, 2, 3, 4}}) {
    std::vector<float> grads;
    size_t group = 0, target = 0;
    for (const size_t end : cut) {
      TrainingBatch part;
      while (group < end) AddShared(groups[group++], &part);
      const size_t count = part.targets.size();
      grads = RunTraining(*exact_, part, 0.9f, std::span(dlogprobs).subspan(target, count),
                          std::span(dentropies).subspan(target, count), std::move(grads))
                  .grads;
      target = ends[end - 1];
    }
    EXPECT_EQ(std::memcmp(grads.data(), expected.grads.data(), grads.size() * sizeof(float)), 0)
        << cut.size() << " batches, the first of " << cut[0] << " groups";
  }
}

// So many rows that each of three threads takes its own.
TEST_P(ModelGradientTest, IsTheSameBitsForAnyThreadsAndIsa) {
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 40, 21, {5, 19, 1, 12}), &batch);
  AddShared(RandomGroup(config_, 45, 37, {60, 1, 55, 7}), &batch);
  const auto dlogprobs = RandomFloats(7, batch.targets.size()),
             dentropies = RandomFloats(8, batch.targets.size());
  const auto scalar = NewBackend(config_, {.threads = 1, .isa = kernels::Isa::kScalar}, weights_);
  const Result expected = RunTraining(*scalar, batch, 1.0f, dlogprobs, dentropies);
  for (const kernels::Isa isa :
       {kernels::Isa::kScalar, kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::IsaAvailable(isa)) continue;
    for (const int threads : {1, 2, 3}) {
      const auto backend = NewBackend(config_, {.threads = threads, .isa = isa}, weights_);
      const Result result = RunTraining(*backend, batch, 1.0f, dlogprobs, dentropies);
      EXPECT_EQ(result.grads, expected.grads) << kernels::IsaName(isa) << ", threads " << threads;
      EXPECT_EQ(result.logprobs, expected.logprobs)
          << kernels::IsaName(isa) << ", threads " << threads;
    }
  }
}

TEST_P(ModelGradientTest, APageSizeMovesItsRoundingOnlyByWhatOfThePromptIsCopied) {
  const auto dlogprobs = RandomFloats(7, 37), dentropies = RandomFloats(8, 37);
  const auto run = [&](size_t prompt, int32_t page_size) {
    TrainingBatch batch;
    batch.batch.page_size = page_size;
    AddShared(RandomGroup(config_, 40, prompt, {5, 19, 1, 12}), &batch);
    return RunTraining(*exact_, batch, 1.0f, dlogprobs, dentropies);
  };
  for (const size_t prompt : {69, 53}) {
    const Result expected = run(prompt, 16);
    for (const int32_t page_size : {32, 64}) {
      SCOPED_TRACE(page_size);
      const Result result = run(prompt, page_size);
      EXPECT_EQ(result.logprobs, expected.logprobs);
      EXPECT_EQ(result.entropies, expected.entropies);
      if (prompt == 69) {
        EXPECT_EQ(result.grads, expected.grads);  // 5 positions are copied, whatever the size
      } else {
        ExpectClose(result.grads, expected.grads, 1e-5);
      }
    }
  }
}

TEST_P(ModelGradientTest, LeavesTheGapsBetweenTensorsZero) {
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 41, 9, {5, 3}), &batch);
  const Result result = RunTraining(*exact_, batch, 1.0f, RandomFloats(9, batch.targets.size()));
  int64_t end = 0;
  for (const TensorSpec& tensor : MakeLayout(config_).tensors) {
    for (; end < tensor.offset; ++end) EXPECT_EQ(result.grads[end], 0) << "before " << tensor.name;
    end = tensor.offset + tensor.size;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ModelGradientTest, testing::ValuesIn(Families()), FamilyName);

}  // namespace
}  // namespace hone
