#include "engine_runs.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "tiny_policy.h"

namespace hone {

std::vector<int32_t> RandomPrompt(uint64_t seed, int32_t length) {
  PhiloxSequence draws(seed, {Purpose::kGenerateData});
  std::vector<int32_t> tokens(length);
  for (int32_t& token : tokens) token = static_cast<int32_t>(draws.Below(256));
  return tokens;
}

// Prompts around the edges of a page, some of them groups.
std::vector<GenerationRequest> MixedRequests() {
  std::vector<GenerationRequest> requests;
  const std::vector<int32_t> lengths = {1, 15, 16, 17, 31, 32, 33, 40, 5, 48};
  for (size_t i = 0; i < lengths.size(); ++i) {
    const auto samples = static_cast<int32_t>(i % 3 == 0 ? 1 : 2 + i % 4);
    requests.push_back({100 + i, 7 * i, RandomPrompt(i, lengths[i]), samples});
  }
  return requests;
}

GenerationParams MixedParams() {
  GenerationParams params;
  params.max_tokens = 37;
  params.sampling.temperature = 0.9f;
  params.sampling.top_p = 0.95f;
  params.eos_token_ids = {3, 77, 120, 121, 122, 123};  // so that lengths differ
  params.seed = 5;
  return params;
}

Outcome Generate(Backend& backend, const GenerationParams& params, const EngineLimits& limits,
                 const std::vector<GenerationRequest>& requests, const Tokenizer* tokenizer) {
  Engine engine(backend, tokenizer, params, limits);
  for (const GenerationRequest& request : requests) engine.Submit(request);
  Outcome run;
  while (engine.Step()) {
    for (GenerationResult& result : engine.TakeResults()) {
      run.order.push_back(result.id);
      run.completions[result.id] = std::move(result.completions);
    }
  }
  EXPECT_TRUE(engine.idle());
  run.stats = engine.stats();
  return run;
}

void ExpectSameBits(const Completion& a, const Completion& b) {
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.finish_reason, b.finish_reason);
  const auto expect = [](const std::vector<float>& x, const std::vector<float>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(std::bit_cast<uint32_t>(x[i]), std::bit_cast<uint32_t>(y[i]));
  };
  expect(a.logprobs, b.logprobs);
  expect(a.entropies, b.entropies);
}

void ExpectSameBits(const Outcome& a, const Outcome& b) {
  ASSERT_EQ(a.completions.size(), b.completions.size());
  for (const auto& [id, completions] : a.completions) {
    const auto& others = b.completions.at(id);
    ASSERT_EQ(completions.size(), others.size());
    for (size_t i = 0; i < completions.size(); ++i) {
      SCOPED_TRACE("id " + std::to_string(id) + " sample " + std::to_string(i));
      ExpectSameBits(completions[i], others[i]);
    }
  }
}

int64_t PageBytes(int32_t page_size) {
  const ModelConfig config = TinyConfig();
  return 2 * config.num_layers * config.kv_dim() * page_size * 4;
}

}  // namespace hone
