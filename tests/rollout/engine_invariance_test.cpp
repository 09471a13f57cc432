// What a completion is does not depend on how the engine came to compute it.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine_runs.h"
#include "rollout/engine.h"
#include "tiny_policy.h"

namespace hone {
namespace {

class EngineLimitsTest : public ::testing::Test {
 protected:
  EngineLimitsTest() : backend_(TinyBackend()) {
    expected_ = Generate(*backend_, MixedParams(), {}, MixedRequests());
  }
  void ExpectUnchanged(const EngineLimits& limits) {
    ExpectSameBits(expected_, Generate(*backend_, MixedParams(), limits, MixedRequests()));
  }
  std::unique_ptr<Backend> backend_;
  Outcome expected_;
};

TEST_F(EngineLimitsTest, TheMixIsWorthTesting) {
  std::set<size_t> lengths;
  int stopped = 0, samples = 0;
  for (const auto& [id, completions] : expected_.completions) {
    for (const Completion& completion : completions) {
      lengths.insert(completion.tokens.size());
      stopped += completion.finish_reason == FinishReason::kStop;
      ++samples;
    }
  }
  EXPECT_GT(lengths.size(), 6u);
  EXPECT_GT(stopped, 3);
  EXPECT_GT(samples - stopped, 3);
  EXPECT_EQ(expected_.stats.preemptions, 0);
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnMaxSequences) {
  for (const int32_t max_sequences : {1, 2, 3, 8})
    ExpectUnchanged({.max_sequences = max_sequences});
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnMaxBatchTokens) {
  for (const int32_t max_batch_tokens : {1, 2, 7, 16, 50, 64}) {
    ExpectUnchanged({.max_batch_tokens = max_batch_tokens});
  }
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnPreemption) {
  // The longest request needs 48 + 37 positions: 6 pages.
  for (const int64_t pages : {6, 7, 9, 13}) {
    for (const int32_t max_batch_tokens : {8, 2048}) {
      SCOPED_TRACE("pages " + std::to_string(pages));
      const EngineLimits limits = {.max_batch_tokens = max_batch_tokens,
                                   .cache_bytes = pages * PageBytes()};
      const Outcome run = Generate(*backend_, MixedParams(), limits, MixedRequests());
      ExpectSameBits(expected_, run);
      EXPECT_GT(run.stats.preemptions, 0);
    }
  }
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnPageSize) {
  int64_t preemptions = 0;
  for (const int32_t page_size : {32, 64, 80, 128}) {
    SCOPED_TRACE("page size " + std::to_string(page_size));
    ExpectUnchanged({.page_size = page_size});
    // One more than the longest request needs: some are put back.
    const int64_t pages = 1 + PagesFor(48 + 37, page_size);
    const EngineLimits limits = {.cache_bytes = pages * PageBytes(page_size),
                                 .page_size = page_size};
    const Outcome run = Generate(*backend_, MixedParams(), limits, MixedRequests());
    ExpectSameBits(expected_, run);
    preemptions += run.stats.preemptions;
  }
  EXPECT_GT(preemptions, 0);
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnOrderOfSubmission) {
  std::vector<GenerationRequest> requests = MixedRequests();
  std::reverse(requests.begin(), requests.end());
  ExpectSameBits(expected_, Generate(*backend_, MixedParams(), {.max_sequences = 5}, requests));
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnWhenTheyWereSubmitted) {
  Engine engine(*backend_, nullptr, MixedParams(), {.max_sequences = 9});
  Outcome run;
  const std::vector<GenerationRequest> requests = MixedRequests();
  for (size_t next = 0; next < requests.size() || !engine.idle();) {
    if (next < requests.size()) engine.Submit(requests[next++]);
    for (int step = 0; step < 3; ++step) engine.Step();
    for (GenerationResult& result : engine.TakeResults()) {
      run.completions[result.id] = std::move(result.completions);
    }
  }
  ExpectSameBits(expected_, run);
}

TEST_F(EngineLimitsTest, CompletionsDoNotDependOnThreads) {
  const auto backend = TinyBackend(/*threads=*/3);
  ExpectSameBits(expected_, Generate(*backend, MixedParams(), {}, MixedRequests()));
}

TEST_F(EngineLimitsTest, DrawsSharedByThreadsAreTheSame) {
  // Enough rows of logits in a step that more than one thread draws from them.
  GenerationParams params = MixedParams();
  params.max_tokens = 3;
  const std::vector<GenerationRequest> requests = {{0, 0, RandomPrompt(1, 20), 500}};
  const EngineLimits limits = {.max_sequences = 500};
  const Outcome one = Generate(*backend_, params, limits, requests);
  const auto backend = TinyBackend(/*threads=*/3);
  ExpectSameBits(one, Generate(*backend, params, limits, requests));
}

TEST_F(EngineLimitsTest, AGroupIsWhatItsSamplesAreAlone) {
  // A sample's address tells it from its group, so sample 0 alone is sample 0 of the group; and a
  // prefix of the group is the group's prefix.
  for (const GenerationRequest& request : MixedRequests()) {
    for (int32_t samples = 1; samples < request.num_generations; ++samples) {
      GenerationRequest part = request;
      part.num_generations = samples;
      const Outcome run = Generate(*backend_, MixedParams(), {}, {part});
      for (int32_t i = 0; i < samples; ++i) {
        ExpectSameBits(run.completions.at(part.id)[i], expected_.completions.at(part.id)[i]);
      }
    }
  }
}

}  // namespace
}  // namespace hone
