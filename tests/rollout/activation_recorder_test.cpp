// What an engine keeps of its forwards, and when it keeps nothing.
#include <gtest/gtest.h>

#include "engine_runs.h"
#include "rollout/engine.h"
#include "tiny_policy.h"

namespace hone {
namespace {

std::vector<GenerationResult> RunAll(Backend& backend, const EngineLimits& limits) {
  Engine engine(backend, nullptr, MixedParams(), limits);
  for (const GenerationRequest& request : MixedRequests()) engine.Submit(request);
  while (engine.Step()) {
  }
  return engine.TakeResults();
}

TEST(ActivationRecorderTest, KeepsARowForEachTokenThatWasRun) {
  const auto backend = TinyBackend();
  for (const GenerationResult& result : RunAll(*backend, {.activation_bytes = 1 << 30})) {
    ASSERT_NE(result.activations, nullptr);
    EXPECT_EQ(result.activations->fingerprint, backend->weights().fingerprint);
    EXPECT_EQ(result.activations->prompt.size(),
              MixedRequests()[result.id - 100].prompt_tokens.size());
    ASSERT_EQ(result.activations->completions.size(), result.completions.size());
    for (size_t i = 0; i < result.completions.size(); ++i) {
      EXPECT_EQ(result.activations->completions[i].size() + 1, result.completions[i].tokens.size());
      for (const ActivationRow& row : result.activations->completions[i])
        EXPECT_NE(row.of, nullptr);
    }
  }
}

TEST(ActivationRecorderTest, KeepsNothingUnlessAskedTo) {
  const auto backend = TinyBackend();
  for (const GenerationResult& result : RunAll(*backend, {}))
    EXPECT_EQ(result.activations, nullptr);
}

TEST(ActivationRecorderTest, BeyondItsBudgetDropsWhatIsUnfinished) {
  const auto backend = TinyBackend();
  const auto kept = [&](int64_t bytes) {
    size_t groups = 0;
    for (const GenerationResult& result : RunAll(*backend, {.activation_bytes = bytes}))
      groups += result.activations != nullptr;
    return groups;
  };
  EXPECT_EQ(kept(1000), 0u);
  EXPECT_EQ(kept(1 << 30), MixedRequests().size());
  // And the tokens stay what they are.
  const Outcome plain = Generate(*backend, MixedParams(), {}, MixedRequests());
  ExpectSameBits(plain,
                 Generate(*backend, MixedParams(), {.activation_bytes = 1000}, MixedRequests()));
  ExpectSameBits(plain,
                 Generate(*backend, MixedParams(), {.activation_bytes = 1 << 30}, MixedRequests()));
}

TEST(ActivationRecorderTest, TheBudgetIsThereAgainWhenTheEngineWasIdle) {
  const auto backend = TinyBackend();
  const std::vector<GenerationRequest> requests = MixedRequests();
  const auto run_twice = [&](int64_t bytes) {
    Engine engine(*backend, nullptr, MixedParams(), {.activation_bytes = bytes});
    for (int round = 0; round < 2; ++round) {
      engine.Submit(requests[0]);
      while (engine.Step()) {
      }
    }
    return engine.TakeResults();
  };
  int64_t bytes = 1000;  // the least, doubled, that keeps one request
  while (run_twice(bytes)[0].activations == nullptr) bytes *= 2;
  EXPECT_NE(run_twice(bytes)[1].activations, nullptr);
}

}  // namespace
}  // namespace hone
