// The numerics contract through the engine: whatever the limits, the page size, the threads, the
// instruction set and the moment of submission, a request gives to the bit what it gives alone.
#include <algorithm>

#include "engine_runs.h"
#include "random_cases.h"
#include "rollout/engine.h"

namespace hone {
namespace {

using testing::RandomCase;

GenerationParams RandomParams(RandomCase& draws, int64_t vocab) {
  GenerationParams params;
  SamplingParams& sampling = params.sampling;
  sampling.greedy = draws.Once(8);
  sampling.temperature = draws.Of({0.5f, 0.7f, 1.0f, 1.0f, 1.3f});
  if (draws.Once(4)) sampling.top_p = 0.9f;
  if (draws.Once(4)) sampling.top_k = draws.From(1, 20);
  if (draws.Once(4)) sampling.min_p = 0.05f;
  if (draws.Once(4)) sampling.repetition_penalty = 1.2f;
  params.max_tokens = draws.From(1, 40);
  for (int32_t i = draws.From(0, 3); i > 0; --i)
    params.eos_token_ids.push_back(draws.From(0, static_cast<int32_t>(vocab) - 1));
  params.ignore_eos = draws.Once(3);
  params.seed = draws.Next();
  return params;
}

std::vector<GenerationRequest> RandomRequests(RandomCase& draws, int64_t vocab) {
  std::vector<GenerationRequest> requests(static_cast<size_t>(draws.From(1, 8)));
  const int32_t longest = draws.Of({4, 20, 70});
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i] = {i, draws.Next(), RandomTokens(draws, vocab, draws.From(1, longest)),
                   draws.Once(3) ? 1 : draws.From(1, 5)};
  }
  return requests;
}

// From what the longest request needs alone, so that sequences are put back, to plenty.
EngineLimits RandomLimits(RandomCase& draws, const ModelConfig& config, int32_t max_tokens,
                          const std::vector<GenerationRequest>& requests) {
  EngineLimits limits;
  limits.max_sequences = draws.Of({1, 2, 5, 40});
  limits.max_batch_tokens = draws.Of({1, 3, 16, 50, 2048});
  limits.page_size = testing::RandomPageSize(draws);

  if (draws.Once(4)) return limits;
  size_t longest = 0;
  for (const auto& request : requests) longest = std::max(longest, request.prompt_tokens.size());
  const int32_t least = PagesFor(static_cast<int64_t>(longest) + max_tokens, limits.page_size);
  const int64_t page_bytes = 2 * config.num_layers * config.kv_dim() * limits.page_size * 4;
  limits.cache_bytes = (least + draws.From(0, 2 * least)) * page_bytes;
  return limits;
}

// Requests in any order, some while others run.
Outcome GenerateRandomly(RandomCase& draws, Engine& engine,
                         std::vector<GenerationRequest> requests) {
  draws.Shuffle(&requests);
  Outcome run;
  while (!requests.empty() || !engine.idle()) {
    for (int32_t i = draws.From(0, 4); i > 0 && !requests.empty(); --i) {
      engine.Submit(requests.back());
      requests.pop_back();
    }
    for (int32_t steps = draws.From(1, 6); steps > 0; --steps) engine.Step();
    for (GenerationResult& result : engine.TakeResults())
      run.completions[result.id] = std::move(result.completions);
  }
  run.stats = engine.stats();
  return run;
}

TEST(EngineContractTest, ARequestGivesWhatItGivesAlone) {
  int64_t preemptions = 0;
  testing::ForRandomCases(140, [&](RandomCase& draws) {
    const ModelConfig config = testing::RandomModel(draws);
    const auto weights = testing::RandomModelWeights(draws, config);
    const std::string dtype = testing::RandomDtype(draws);
    const GenerationParams params = RandomParams(draws, config.vocab_size);
    const auto requests = RandomRequests(draws, config.vocab_size);
    const auto plainest = testing::PlainestBackend(config, weights, dtype);
    Outcome alone;
    for (const GenerationRequest& request : requests) {
      // One sequence at a time, the whole of it: a group's samples take turns.
      alone.completions.merge(
          Generate(*plainest, params, {.max_sequences = 1}, {request}).completions);
    }
    for (int round = 0; round < 2; ++round) {
      const int threads = draws.From(1, 3);
      const kernels::Isa isa = testing::RandomIsa(draws);
      const EngineLimits limits = RandomLimits(draws, config, params.max_tokens, requests);
      SCOPED_TRACE(dtype + ", " + kernels::IsaName(isa) + ", threads " + std::to_string(threads) +
                   ", page size " + std::to_string(limits.page_size));
      const auto backend = testing::ExactBackend(config, weights, dtype, threads, isa);
      Engine engine(*backend, nullptr, params, limits);
      const Outcome run = GenerateRandomly(draws, engine, requests);
      ExpectSameBits(alone, run);
      preemptions += run.stats.preemptions;
    }
  });
  if (std::getenv("HONE_CONTRACT_CASES") == nullptr) {
    EXPECT_GT(preemptions, testing::kSlowerBuild == 1 ? 20 : 0);
  }
}

}  // namespace
}  // namespace hone
