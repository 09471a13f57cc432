#include "rollout/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>

#include "common/error.h"
#include "engine_runs.h"
#include "kernels/exec.h"
#include "tiny_policy.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

// The logits after a sequence, by one forward over the whole of it.
std::vector<float> LogitsAfter(Backend& backend, const std::vector<int32_t>& tokens) {
  Batch batch;
  batch.tokens_T = tokens;
  batch.spans.push_back({0, static_cast<int32_t>(tokens.size()), 0, 0});
  for (int32_t page = 0; page * kDefaultPageSize < batch.rows(); ++page)
    batch.pages.push_back(page);
  const auto cache = backend.NewCache(static_cast<int32_t>(batch.pages.size()));
  std::vector<float> logits(backend.config().vocab_size);
  backend.Forward(batch, *cache, std::vector<int32_t>{batch.rows() - 1}, logits);
  return logits;
}

TEST(EngineTest, DrawsWhatTheWholeSequenceGivesAtTheSamplesAddress) {
  const auto backend = TinyBackend();
  const GenerationParams params = MixedParams();
  const GenerationRequest request = {0, 42, RandomPrompt(3, 21), 3};
  const Outcome run = Generate(*backend, params, {}, {request});
  Sampler sampler(kernels::DetectIsa());
  for (uint32_t sample = 0; sample < 3; ++sample) {
    const Completion& completion = run.completions.at(0)[sample];
    std::vector<int32_t> tokens = request.prompt_tokens;
    for (uint32_t position = 0; position < completion.tokens.size(); ++position) {
      const Draw draw = sampler.Sample(LogitsAfter(*backend, tokens), params.sampling, tokens,
                                       params.seed, {Purpose::kSampleToken, 42, sample, position});
      ASSERT_EQ(draw.token, completion.tokens[position]);
      ASSERT_EQ(std::bit_cast<uint32_t>(draw.logprob),
                std::bit_cast<uint32_t>(completion.logprobs[position]));
      tokens.push_back(draw.token);
    }
  }
}

TEST(EngineTest, GreedyIsTheArgmaxOfRepeatedWholeForwards) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.sampling.greedy = true;
  params.max_tokens = 24;
  const std::vector<int32_t> prompt = RandomPrompt(8, 13);
  const Outcome run = Generate(*backend, params, {}, {{0, 0, prompt, 2}});
  std::vector<int32_t> tokens = prompt;
  for (int32_t i = 0; i < params.max_tokens; ++i) {
    const std::vector<float> logits = LogitsAfter(*backend, tokens);
    tokens.push_back(
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  const std::vector<int32_t> expected(tokens.begin() + 13, tokens.end());
  EXPECT_EQ(run.completions.at(0)[0].tokens, expected);
  EXPECT_EQ(run.completions.at(0)[1].tokens, expected);
}

TEST(EngineTest, LogprobsAndEntropiesAreTheLearnersToTheBit) {
  const auto backend = TinyBackend();
  const GenerationParams params = MixedParams();
  const Outcome run = Generate(*backend, params, {.cache_bytes = 9 * PageBytes()}, MixedRequests());
  EXPECT_GT(run.stats.preemptions, 0);
  for (const GenerationRequest& request : MixedRequests()) {
    for (const Completion& completion : run.completions.at(request.id)) {
      Batch batch;
      std::vector<Target> targets;
      batch.tokens_T = request.prompt_tokens;
      for (const int32_t token : completion.tokens) {
        targets.push_back({batch.rows() - 1, token});
        batch.tokens_T.push_back(token);
      }
      batch.spans.push_back({0, batch.rows(), 0, 0});
      for (int32_t page = 0; page * kDefaultPageSize < batch.rows(); ++page)
        batch.pages.push_back(page);
      const auto cache = backend->NewCache(static_cast<int32_t>(batch.pages.size()));
      std::vector<float> logprobs(targets.size()), entropies(targets.size());
      backend->ForwardLogprobs(batch, *cache, targets, params.sampling.temperature, false, logprobs,
                               entropies);
      for (size_t i = 0; i < logprobs.size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(logprobs[i]),
                  std::bit_cast<uint32_t>(completion.logprobs[i]));
        ASSERT_EQ(std::bit_cast<uint32_t>(entropies[i]),
                  std::bit_cast<uint32_t>(completion.entropies.at(i)));
      }
    }
  }
}

TEST(EngineTest, AGroupsPromptIsPrefilledOnce) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.max_tokens = 10;
  for (const int32_t length : {16, 20}) {
    const Outcome run = Generate(*backend, params, {}, {{0, 0, RandomPrompt(1, length), 6}});
    EXPECT_EQ(run.stats.rows, length + 6 * 9);
    EXPECT_EQ(run.stats.forwards, 10);
    EXPECT_EQ(run.stats.drawn, 60);
  }
}

TEST(EngineTest, EosEndsACompletionAndIsKept) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.max_tokens = 20;
  const GenerationRequest request = {0, 0, RandomPrompt(2, 10), 1};
  const std::vector<int32_t> free =
      Generate(*backend, params, {}, {request}).completions.at(0)[0].tokens;
  ASSERT_EQ(free.size(), 20u);
  params.eos_token_ids = {271, free[7]};
  const auto first = std::find(free.begin(), free.end(), free[7]);
  const Completion ended = Generate(*backend, params, {}, {request}).completions.at(0)[0];
  EXPECT_EQ(ended.tokens, std::vector<int32_t>(free.begin(), first + 1));
  EXPECT_EQ(ended.logprobs.size(), ended.tokens.size());
  EXPECT_EQ(ended.finish_reason, FinishReason::kStop);
  params.ignore_eos = true;
  const Completion ignored = Generate(*backend, params, {}, {request}).completions.at(0)[0];
  EXPECT_EQ(ignored.tokens, free);
  EXPECT_EQ(ignored.finish_reason, FinishReason::kLength);
}

TEST(EngineTest, EosAsFirstTokenEndsASampleAtOnce) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.sampling.greedy = true;
  params.max_tokens = 5;
  const GenerationRequest request = {0, 0, RandomPrompt(2, 18), 3};
  params.eos_token_ids = {Generate(*backend, params, {}, {request}).completions.at(0)[0].tokens[0]};
  const Outcome run = Generate(*backend, params, {}, {request});
  EXPECT_EQ(run.stats.forwards, 1);
  for (const Completion& completion : run.completions.at(0)) {
    EXPECT_EQ(completion.tokens, params.eos_token_ids);
    EXPECT_EQ(completion.finish_reason, FinishReason::kStop);
  }
}

TEST(EngineTest, AStopStringEndsWithTheTokenThatCompletesIt) {
  const auto backend = TinyBackend();
  const auto tokenizer = TinyTokenizer();
  GenerationParams params;
  params.max_tokens = 30;
  const GenerationRequest request = {0, 0, RandomPrompt(2, 10), 1};
  const std::vector<int32_t> free =
      Generate(*backend, params, {}, {request}).completions.at(0)[0].tokens;
  std::string stop;
  for (int i = 12; i < 15; ++i) stop += tokenizer->Bytes(free[i]);
  ASSERT_GE(stop.size(), 2u);
  params.stop = {"never to be found", stop};
  const Completion ended =
      Generate(*backend, params, {}, {request}, tokenizer.get()).completions.at(0)[0];
  EXPECT_EQ(ended.tokens, std::vector<int32_t>(free.begin(), free.begin() + 15));
  EXPECT_EQ(ended.finish_reason, FinishReason::kStop);
  params.stop = {"never to be found"};
  params.eos_token_ids = {free[0]};
  EXPECT_EQ(Generate(*backend, params, {}, {request}, tokenizer.get()).completions.at(0)[0].tokens,
            params.eos_token_ids);
}

TEST(EngineTest, ACompletionEndsAtMaxTokensOrAtMaxLength) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.max_tokens = 12;
  const GenerationRequest request = {0, 0, RandomPrompt(2, 20), 1};
  const Completion full = Generate(*backend, params, {}, {request}).completions.at(0)[0];
  EXPECT_EQ(full.tokens.size(), 12u);
  EXPECT_EQ(full.finish_reason, FinishReason::kLength);
  const Completion cut =
      Generate(*backend, params, {.max_length = 25}, {request}).completions.at(0)[0];
  EXPECT_EQ(cut.tokens, std::vector<int32_t>(full.tokens.begin(), full.tokens.begin() + 5));
  EXPECT_EQ(cut.finish_reason, FinishReason::kLength);
  // The model's positions end it too: 159 + 1 = 160.
  const GenerationRequest longest = {0, 0, RandomPrompt(2, 159), 2};
  EXPECT_EQ(Generate(*backend, params, {}, {longest}).completions.at(0)[1].tokens.size(), 1u);
}

TEST(EngineTest, TheRepetitionPenaltySeesPromptAndCompletion) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.sampling.greedy = true;
  params.sampling.repetition_penalty = 1e6f;
  params.max_tokens = 60;
  const std::vector<int32_t> prompt = RandomPrompt(4, 20);
  const auto tokens =
      Generate(*backend, params, {}, {{0, 0, prompt, 1}}).completions.at(0)[0].tokens;
  std::set<int32_t> seen(prompt.begin(), prompt.end());
  for (const int32_t token : tokens) EXPECT_TRUE(seen.insert(token).second) << token;
}

TEST(EngineTest, GroupsComeOutAsTheyAreDone) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.max_tokens = 40;
  const std::vector<GenerationRequest> requests = {{1, 1, RandomPrompt(1, 120), 1},
                                                   {2, 2, RandomPrompt(2, 158), 1}};
  EXPECT_EQ(Generate(*backend, params, {}, requests).order, (std::vector<uint64_t>{2, 1}));
}

TEST(EngineTest, CompletionsCarryTheWeightsThatDrewThem) {
  const auto backend = TinyBackend();
  GenerationParams params;
  params.max_tokens = 8;
  Engine engine(*backend, nullptr, params, {});
  const GenerationRequest request = {0, 0, RandomPrompt(2, 20), 2};
  const auto complete = [&] {
    engine.Submit(request);
    while (engine.Step()) {
    }
    return engine.TakeResults().at(0).completions;
  };
  const auto before = complete();
  EXPECT_EQ(before[1].version, 1u);
  EXPECT_EQ(before[1].fingerprint, backend->weights().fingerprint);

  const auto other = TinyBackend(1, /*seed=*/2);
  const auto expected = Generate(*other, params, {}, {request}).completions.at(0);
  engine.SetWeights(MakeWeights(backend->layout(), InitWeights(TinyConfig(), backend->layout(), 2),
                                /*version=*/9));
  const auto after = complete();
  EXPECT_EQ(after[1].version, 9u);
  EXPECT_NE(after[1].fingerprint, before[1].fingerprint);
  for (int i = 0; i < 2; ++i) ExpectSameBits(after[i], expected[i]);
}

TEST(EngineTest, WeightsChangeOnlyBetweenGroups) {
  const auto backend = TinyBackend();
  Engine engine(*backend, nullptr, {}, {});
  engine.Submit({0, 0, RandomPrompt(2, 5), 1});
  engine.Step();
  EXPECT_THROW(engine.SetWeights(MakeWeights(backend->layout(),
                                             InitWeights(TinyConfig(), backend->layout(), 2), 2)),
               RunError);
}

TEST(EngineTest, StopsWhenTheWeightsGiveNoNumbers) {
  const auto backend = TinyBackend();
  Buffer<float> data = InitWeights(TinyConfig(), backend->layout(), 1);
  data[backend->layout().Find("model.norm.weight").offset] =
      std::numeric_limits<float>::quiet_NaN();
  backend->SetWeights(MakeWeights(backend->layout(), std::move(data), 1));
  Engine engine(*backend, nullptr, {}, {});
  engine.Submit({0, 0, RandomPrompt(2, 5), 1});
  EXPECT_THROW(engine.Step(), RunError);
}

std::string SubmitError(const EngineLimits& limits, const GenerationRequest& request) {
  const auto backend = TinyBackend();
  Engine engine(*backend, nullptr, {}, limits);
  try {
    engine.Submit(request);
  } catch (const UsageError& error) {
    EXPECT_TRUE(engine.idle());
    return error.what();
  }
  return "no UsageError";
}

TEST(EngineTest, RefusesRequestsThatCannotBeServed) {
  EXPECT_THAT(SubmitError({}, {0, 0, {}, 1}), HasSubstr("no token"));
  EXPECT_THAT(SubmitError({}, {0, 0, {1, 272}, 1}), HasSubstr("272"));
  EXPECT_THAT(SubmitError({}, {0, 0, {-1}, 1}), HasSubstr("-1"));
  EXPECT_THAT(SubmitError({}, {0, 0, {1}, 0}), HasSubstr("num_generations"));
  EXPECT_THAT(SubmitError({}, {0, 0, RandomPrompt(1, 160), 1}), HasSubstr("160 tokens"));
  EXPECT_THAT(SubmitError({.max_length = 20}, {0, 0, RandomPrompt(1, 20), 1}),
              HasSubstr("20 tokens"));
  EXPECT_THAT(SubmitError({.cache_bytes = 3 * PageBytes()}, {0, 0, RandomPrompt(1, 20), 1}),
              HasSubstr("cache_bytes"));
}

TEST(EngineTest, RefusesParametersAndLimitsOutOfRange) {
  const auto backend = TinyBackend();
  const auto make = [&](const GenerationParams& params, const EngineLimits& limits) {
    Engine engine(*backend, nullptr, params, limits);
  };
  make({}, {});
  GenerationParams nothing;
  nothing.max_tokens = 0;
  EXPECT_THROW(make(nothing, {}), UsageError);
  GenerationParams stopping;  // without a tokenizer
  stopping.stop = {"x"};
  EXPECT_THROW(make(stopping, {}), UsageError);
  GenerationParams hot;
  hot.sampling.temperature = -1;
  EXPECT_THROW(make(hot, {}), UsageError);
  EXPECT_THROW(make({}, {.max_sequences = 0}), UsageError);
  EXPECT_THROW(make({}, {.max_batch_tokens = 0}), UsageError);
  EXPECT_THROW(make({}, {.cache_bytes = -1}), UsageError);
  EXPECT_THROW(make({}, {.cache_bytes = 1}), UsageError);
  EXPECT_THROW(make({}, {.max_length = -1}), UsageError);
  make({}, {.page_size = 48});
  for (const int32_t page_size : {0, -16, 24}) {
    EXPECT_THAT([&] { make({}, {.page_size = page_size}); },
                ::testing::ThrowsMessage<UsageError>(HasSubstr("page_size")));
  }
}

}  // namespace
}  // namespace hone
