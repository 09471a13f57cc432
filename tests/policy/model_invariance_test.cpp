// A token's logits are the same bits whatever else happens around it.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "model_fixtures.h"
#include "policy/logprob.h"

namespace hone {
namespace {

constexpr int32_t kTokens = 70, kPages = 400;

class ModelInvarianceTest : public testing::TestWithParam<Family> {
 protected:
  std::unique_ptr<Backend> Exact(int threads, kernels::Isa isa) const {
    return NewBackend(config_, {.threads = threads, .isa = isa}, weights_);
  }
  size_t vocab() const { return static_cast<size_t>(config_.vocab_size); }

  // Logits after each token of the sequence, prefilled `chunk` tokens at a time.
  std::vector<float> InChunks(Backend& backend, int32_t chunk,
                              const std::vector<int32_t>& pages) const {
    std::vector<float> logits(kTokens * vocab());
    const auto cache = backend.NewCache(kPages);
    for (int32_t first = 0; first < kTokens; first += chunk) {
      const int32_t count = std::min(chunk, kTokens - first);
      TrainingBatch step;
      step.AddSpan(
          std::span(tokens_).subspan(static_cast<size_t>(first), static_cast<size_t>(count)), first,
          pages);
      std::vector<int32_t> rows(static_cast<size_t>(count));
      std::iota(rows.begin(), rows.end(), 0);
      backend.Forward(
          step.batch, *cache, rows,
          std::span(logits).subspan(static_cast<size_t>(first) * vocab(), rows.size() * vocab()));
    }
    return logits;
  }

  // The same while 63 other sequences of other lengths run along, ours as number `place`.
  std::vector<float> Crowded(Backend& backend, int32_t chunk, int32_t place) const {
    std::vector<float> logits(kTokens * vocab());
    const auto cache = backend.NewCache(kPages);
    std::vector<std::vector<int32_t>> others;
    for (uint64_t i = 0; i < 63; ++i) others.push_back(RandomTokens(config_, 500 + i, 3 + i));
    for (int32_t first = 0; first < kTokens; first += chunk) {
      TrainingBatch step;
      std::vector<int32_t> rows;
      for (int32_t s = 0; s < 64; ++s) {
        const auto& tokens = s == place ? tokens_ : others[s < place ? s : s - 1];
        const int32_t length = static_cast<int32_t>(tokens.size()),
                      count = std::min(chunk, length - first);
        if (s == place) {
          for (int32_t i = 0; i < count; ++i) rows.push_back(step.batch.rows() + i);
        }
        const auto pages = step.NewPages(step.PagesOf(length));
        if (count > 0) {
          step.AddSpan(
              std::span(tokens).subspan(static_cast<size_t>(first), static_cast<size_t>(count)),
              first, pages);
        }
      }
      backend.Forward(
          step.batch, *cache, rows,
          std::span(logits).subspan(static_cast<size_t>(first) * vocab(), rows.size() * vocab()));
    }
    return logits;
  }

  const ModelConfig config_ = ConfigOf(GetParam());
  const std::shared_ptr<const Weights> weights_ = RandomWeights(config_, 5);
  const std::vector<int32_t> tokens_ = RandomTokens(config_, 6, kTokens);
  const std::vector<int32_t> straight_ = {0, 1, 2, 3, 4};
  const std::vector<float> expected_ =
      InChunks(*Exact(1, kernels::Isa::kScalar), kTokens, straight_);
};

TEST_P(ModelInvarianceTest, ChunksPagesThreadsAndIsaChangeNoBit) {
  for (const kernels::Isa isa :
       {kernels::Isa::kScalar, kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::IsaAvailable(isa)) continue;
    for (const int threads : {1, 2, 3}) {
      const auto backend = Exact(threads, isa);
      for (const int32_t chunk : {1, 7, 64, kTokens}) {
        for (const auto& pages : {straight_, {17, 3, 399, 0, 8}}) {
          EXPECT_EQ(InChunks(*backend, chunk, pages), expected_)
              << kernels::IsaName(isa) << ", threads " << threads << ", chunk " << chunk
              << ", page " << pages[0];
        }
      }
    }
  }
}

TEST_P(ModelInvarianceTest, SixtyThreeOtherSequencesChangeNoBit) {
  const auto backend = Exact(2, kernels::DetectIsa());
  for (const int32_t chunk : {1, 7, 64}) {
    for (const int32_t place : {0, 31, 63}) {
      EXPECT_EQ(Crowded(*backend, chunk, place), expected_)
          << "chunk " << chunk << ", place " << place;
    }
  }
}

TEST_P(ModelInvarianceTest, TrainingLogprobsAreTheBitsOfForwardAndLogProb) {
  TestGroup group{{tokens_.begin(), tokens_.begin() + 21}, {}};
  for (const int32_t end : {30, 44, kTokens})
    group.completions.push_back({tokens_.begin() + 21, tokens_.begin() + end});
  for (const float temperature : {1.0f, 0.7f}) {
    for (const bool keep : {false, true}) {
      TrainingBatch batch;
      AddShared(group, &batch);
      AddShared(RandomGroup(config_, 77, 50, {100, 100, 90}),
                &batch);  // more than the head takes at a time
      const auto backend = Exact(2, kernels::DetectIsa());
      std::vector<float> logprobs(batch.targets.size());
      const auto cache = backend->NewCache(batch.pages);
      backend->ForwardLogprobs(batch.batch, *cache, batch.targets, temperature, keep, logprobs, {});
      size_t target = 0;
      for (const auto& completion : group.completions) {
        for (size_t i = 0; i < completion.size(); ++i) {
          const auto row = std::span(expected_).subspan((20 + i) * vocab(), vocab());
          EXPECT_EQ(logprobs[target++],
                    LogProb(row, completion[i], temperature, LogSumExp(row, temperature)));
        }
      }
    }
  }
}

// Nothing of an earlier call, larger or of other weights, is left in the next.
TEST_P(ModelInvarianceTest, EarlierCallsChangeNoBit) {
  const auto backend = Exact(2, kernels::DetectIsa());
  TrainingBatch batch;
  AddShared(RandomGroup(config_, 78, 90, {100, 30}), &batch);
  backend->SetWeights(RandomWeights(config_, 6));
  const auto dlogprobs = RandomFloats(1, batch.targets.size());
  const Result other = RunTraining(*backend, batch, 1.0f, dlogprobs);
  EXPECT_NE(InChunks(*backend, 64, straight_), expected_);
  backend->SetWeights(weights_);
  EXPECT_EQ(InChunks(*backend, 64, straight_), expected_);
  const Result result = RunTraining(*backend, batch, 1.0f, dlogprobs);
  EXPECT_NE(result.grads, other.grads);
  EXPECT_EQ(result.grads,
            RunTraining(*Exact(2, kernels::DetectIsa()), batch, 1.0f, dlogprobs).grads);
}

// Prefill, a copy of the half-filled page, and decoding in it.
TEST_P(ModelInvarianceTest, PageSizesChangeNoBit) {
  const auto backend = Exact(2, kernels::DetectIsa());
  for (const int32_t page_size : {32, 48, 64, 128}) {
    const auto cache = backend->NewCache(9, page_size);
    std::vector<float> logits(kTokens * vocab());
    std::vector<int32_t> pages = {7, 2, 8};
    for (int32_t first = 0; first < kTokens;) {
      const int32_t count = first < 60 ? 30 : 1;
      TrainingBatch step;
      step.batch.page_size = page_size;
      if (first == 60) {
        const int32_t page = 60 / page_size, slots = 60 % page_size;
        if (slots > 0) step.batch.copies.push_back({pages[page], 5, slots});
        pages[page] = 5;
      }
      step.AddSpan(
          std::span(tokens_).subspan(static_cast<size_t>(first), static_cast<size_t>(count)), first,
          pages);
      std::vector<int32_t> rows(static_cast<size_t>(count));
      std::iota(rows.begin(), rows.end(), 0);
      backend->Forward(
          step.batch, *cache, rows,
          std::span(logits).subspan(static_cast<size_t>(first) * vocab(), rows.size() * vocab()));
      first += count;
    }
    EXPECT_EQ(logits, expected_) << "page size " << page_size;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ModelInvarianceTest, testing::ValuesIn(Families()), FamilyName);

}  // namespace
}  // namespace hone
