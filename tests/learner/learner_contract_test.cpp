// The numerics contract between engine and learner: what a token was drawn with is what the learner
// computes for it, however either cuts its batches; and a gradient's bits depend on no cut, no
// number of threads and no instruction set.
#include <algorithm>
#include <numeric>

#include "learner/packing.h"
#include "random_cases.h"
#include "rollout/engine.h"

namespace hone::testing {
namespace {

struct Case {
  ModelConfig config;
  std::shared_ptr<const Weights> weights;
  std::string dtype;
  float temperature = 1;
  std::vector<std::vector<int32_t>> prompts;
  std::vector<std::vector<Completion>> completions;                  // of each prompt
  std::vector<std::shared_ptr<const GroupActivations>> activations;  // likewise, if any were kept

  std::vector<PackedGroup> groups() const {
    std::vector<PackedGroup> groups;
    for (size_t g = 0; g < prompts.size(); ++g) {
      groups.push_back({prompts[g], {}});
      for (const Completion& completion : completions[g])
        groups.back().completions.push_back(completion.tokens);
    }
    return groups;
  }
};

// Groups that an engine has drawn under random limits. With `keep`, and with their activations; the
// cache is then often so small that sequences are put back and computed again.
Case MakeCase(RandomCase& draws, bool keep = false) {
  Case c;
  c.config = RandomModel(draws);
  c.weights = RandomModelWeights(draws, c.config);
  c.dtype = RandomDtype(draws);
  c.temperature = draws.Of({0.6f, 1.0f, 1.4f});
  GenerationParams params;
  params.sampling.temperature = c.temperature;
  params.max_tokens = draws.From(1, 30);
  params.seed = draws.Next();
  params.eos_token_ids = {draws.From(0, static_cast<int32_t>(c.config.vocab_size) - 1)};
  EngineLimits limits;
  limits.max_sequences = draws.Of({1, 3, 40});
  limits.max_batch_tokens = draws.Of({1, 16, 2048});
  limits.page_size = RandomPageSize(draws);
  if (keep) limits.activation_bytes = int64_t{1} << 30;
  if (keep && !draws.Once(3)) {
    const int64_t pages = PagesFor(40 + params.max_tokens, limits.page_size) + draws.From(0, 3);
    limits.cache_bytes = pages * 2 * c.config.num_layers * c.config.kv_dim() * limits.page_size * 4;
  }
  const auto backend =
      ExactBackend(c.config, c.weights, c.dtype, draws.From(1, 3), RandomIsa(draws));
  Engine engine(*backend, nullptr, params, limits);
  c.prompts.resize(static_cast<size_t>(draws.From(1, 6)));
  for (size_t g = 0; g < c.prompts.size(); ++g) {
    c.prompts[g] = RandomTokens(draws, c.config.vocab_size, draws.From(1, 40));
    engine.Submit({g, g, c.prompts[g], draws.From(1, 5)});
  }
  while (engine.Step()) {
  }
  c.completions.resize(c.prompts.size());
  c.activations.resize(c.prompts.size());
  for (GenerationResult& result : engine.TakeResults()) {
    c.completions[result.id] = std::move(result.completions);
    c.activations[result.id] = std::move(result.activations);
  }
  return c;
}

TEST(LearnerContractTest, LogprobsAndEntropiesAreThoseTheTokensWereDrawnWith) {
  ForRandomCases(120, [](RandomCase& draws) {
    const Case c = MakeCase(draws);
    const auto groups = c.groups();
    std::vector<int32_t> all(groups.size());
    std::iota(all.begin(), all.end(), 0);
    const auto backend =
        ExactBackend(c.config, c.weights, c.dtype, draws.From(1, 3), RandomIsa(draws));
    // Small ones cut groups too.
    for (const PackedBatch& packed : Pack(groups, all, draws.Of({1, 30, 100, 4000}))) {
      std::vector<float> logprobs(packed.targets.size()), entropies(packed.targets.size());
      const auto cache = backend->NewCache(packed.pages);
      backend->ForwardLogprobs(packed.batch, *cache, packed.targets, c.temperature, draws.Once(2),
                               logprobs, entropies);
      for (const PackedCompletion& part : packed.completions) {
        const Completion& drawn = c.completions[part.group][part.sample];
        const auto at = static_cast<size_t>(part.first_target), length = drawn.tokens.size();
        ASSERT_EQ(BitDifference(drawn.logprobs, std::span(logprobs).subspan(at, length)), "")
            << "logprobs of group " << part.group << ", sample " << part.sample;
        ASSERT_EQ(BitDifference(drawn.entropies, std::span(entropies).subspan(at, length)), "")
            << "entropies of group " << part.group << ", sample " << part.sample;
      }
    }
  });
}

// Adds the gradient of groups `use` in one batch; dlogprobs and dentropies are functions of the
// target's place.
void AddGradient(const Case& c, const std::vector<int32_t>& use, Backend& backend, uint64_t seed,
                 std::vector<float>* grads, bool known = false) {
  const auto groups = c.groups();
  for (const PackedBatch& packed : Pack(groups, use, 1 << 20)) {
    const size_t targets = packed.targets.size();
    std::vector<float> logprobs(targets), dlogprobs, dentropies;
    for (const PackedCompletion& part : packed.completions) {
      RandomCase values(seed, static_cast<uint64_t>(part.group * 100 + part.sample));
      for (size_t i = 0; i < groups[part.group].completions[part.sample].size(); ++i) {
        dlogprobs.push_back(static_cast<float>(2 * values.Uniform() - 1));
        dentropies.push_back(static_cast<float>(values.Uniform() - 0.5));
      }
    }
    if (seed % 2 == 0) dentropies.clear();
    const auto cache = backend.NewCache(packed.pages);
    std::vector<ActivationRow> rows;
    if (known) {
      rows = KnownRows(packed, c.activations, c.weights->fingerprint);
      ASSERT_EQ(rows.size(), static_cast<size_t>(packed.batch.rows()));
    }
    backend.ForwardLogprobs(packed.batch, *cache, packed.targets, c.temperature, /*keep=*/true,
                            logprobs, {}, rows);
    for (const PackedCompletion& part : packed.completions) {
      const auto& drawn = c.completions[part.group][part.sample].logprobs;
      ASSERT_EQ(BitDifference(drawn, std::span(logprobs).subspan(
                                         static_cast<size_t>(part.first_target), drawn.size())),
                "");
    }
    backend.Backward(dlogprobs, dentropies, *grads);
  }
}

TEST(LearnerContractTest, GradientsDependOnNoCutThreadsOrIsa) {
  ForRandomCases(80, [](RandomCase& draws) {
    const Case c = MakeCase(draws);
    const uint64_t seed = draws.Next();
    std::vector<int32_t> all(c.prompts.size());
    std::iota(all.begin(), all.end(), 0);
    const size_t size = static_cast<size_t>(MakeLayout(c.config).size);
    std::vector<float> expected(size);
    AddGradient(c, all, *PlainestBackend(c.config, c.weights, c.dtype), seed, &expected);
    for (const kernels::Isa isa : IsasOfThisMachine()) {
      const int threads = draws.From(1, 3);
      const auto backend = ExactBackend(c.config, c.weights, c.dtype, threads, isa);
      std::vector<float> grads(size);
      std::string cut;
      for (size_t first = 0; first < all.size();) {
        const size_t count = draws.Below(static_cast<uint32_t>(all.size() - first)) + 1;
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
        AddGradient(c, {begin, begin + static_cast<std::ptrdiff_t>(count)}, *backend, seed, &grads);
        cut += " " + std::to_string(count);
        first += count;
      }
      ASSERT_EQ(BitDifference(expected, grads), "")
          << kernels::IsaName(isa) << ", threads " << threads << ", groups cut" << cut;
    }
  });
}

TEST(LearnerContractTest, ActivationsOfTheEngineGiveTheGradientsOfAForward) {
  ForRandomCases(100, [](RandomCase& draws) {
    const Case c = MakeCase(draws, /*keep=*/true);
    const uint64_t seed = draws.Next();
    std::vector<int32_t> all(c.prompts.size());
    std::iota(all.begin(), all.end(), 0);
    const size_t size = static_cast<size_t>(MakeLayout(c.config).size);
    std::vector<float> expected(size), grads(size);
    AddGradient(c, all, *PlainestBackend(c.config, c.weights, c.dtype), seed, &expected);
    const auto backend =
        ExactBackend(c.config, c.weights, c.dtype, draws.From(1, 3), RandomIsa(draws));
    AddGradient(c, all, *backend, seed, &grads, /*known=*/true);
    ASSERT_EQ(BitDifference(expected, grads), "");
  });
}

}  // namespace
}  // namespace hone::testing
