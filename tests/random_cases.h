// What the randomised tests of the numerics contract share: how many cases of which seed, and
// random models. A failure prints its seed and case; HONE_CONTRACT_CASES=SEED:FIRST:COUNT runs
// those again, or as many others as one has time for.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/philox.h"
#include "policy/backend.h"

namespace hone::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
inline constexpr uint64_t kSlowerBuild = 10;
#else
inline constexpr uint64_t kSlowerBuild = 1;
#endif

// The draws of one case.
class RandomCase : public PhiloxSequence {
 public:
  RandomCase(uint64_t seed, uint64_t number) : PhiloxSequence(seed, AddressOf(number)) {}
  int32_t From(int32_t least, int32_t most) {
    return least + static_cast<int32_t>(Below(static_cast<uint32_t>(most - least + 1)));
  }
  bool Once(uint32_t in) { return Below(in) == 0; }
  template <class T>
  T Of(std::initializer_list<T> choices) {
    return choices.begin()[Below(static_cast<uint32_t>(choices.size()))];
  }
  template <class T>
  void Shuffle(std::vector<T>* values) {
    for (size_t i = values->size(); i > 1; --i) {
      std::swap((*values)[i - 1], (*values)[Below(static_cast<uint32_t>(i))]);
    }
  }

 private:
  static Address AddressOf(uint64_t number) {
    return {.purpose = Purpose::kGenerateData, .group = number};
  }
};

// Runs the body on `count` cases, fewer in a slow build, until one fails.
inline void ForRandomCases(uint64_t count, const std::function<void(RandomCase&)>& body) {
  unsigned long long seed = 20260101, first = 0, asked = 0;
  count = (count + kSlowerBuild - 1) / kSlowerBuild;
  if (const char* text = std::getenv("HONE_CONTRACT_CASES")) {
    if (std::sscanf(text, "%llu:%llu:%llu", &seed, &first, &asked) != 3) {
      throw std::runtime_error("HONE_CONTRACT_CASES: expected SEED:FIRST:COUNT, found \"" +
                               std::string(text) + "\"");
    }
    count = asked;
  }
  for (uint64_t number = first; number < first + count; ++number) {
    SCOPED_TRACE("HONE_CONTRACT_CASES=" + std::to_string(seed) + ":" + std::to_string(number) +
                 ":1");
    RandomCase draws(seed, number);
    body(draws);
    if (::testing::Test::HasFailure()) return;
  }
}

// What the families add to Llama and Qwen2, in any combination that their tensors allow.
inline void AddFeatures(RandomCase& draws, ModelConfig* config) {
  const bool gemma = draws.Once(2), experts = !gemma && draws.Once(2);
  config->qkv_bias = false;
  config->architecture = gemma     ? "Gemma3ForCausalLM"
                         : experts ? "Qwen3MoeForCausalLM"
                                   : "Qwen3ForCausalLM";
  if (experts) {
    for (int64_t l = 0; l < config->num_layers; ++l)
      config->sparse.push_back(draws.Once(3) ? 0 : 1);
    config->num_experts = draws.From(1, 6);
    config->experts_per_token = draws.From(1, static_cast<int32_t>(config->num_experts));
    config->expert_size = draws.From(1, 40);
    config->norm_topk_prob = draws.Once(2);
  }
  config->qk_norm = true;
  config->post_norms = gemma;
  config->norm_offset = gemma ? 1 : 0;
  config->o_bias = draws.Once(2);
  for (int64_t l = 0; l < config->num_layers; ++l)
    config->windows.push_back(draws.Once(2) ? 0 : draws.From(1, 40));
  if (draws.Once(2)) config->local_rope_theta = 50;
  config->rotary_dim = 2 * draws.From(1, static_cast<int32_t>(config->head_dim / 2));
  config->rope_scaling.attention_factor = draws.Of({1.0, 1.3});
  config->embedding_scale = draws.Of({1.0, 3.3});
  config->attention_scale = draws.Of({0.0, 0.4});
  config->attention_softcap = draws.Of({0.0, 2.5});
  config->logit_softcap = draws.Of({0.0, 4.0});
  if (draws.Once(2)) config->activation = kernels::Gate::kGeluTanh;
}

// Small, and of sizes that fill no vector: tails are where the instruction sets differ.
inline ModelConfig RandomModel(RandomCase& draws) {
  ModelConfig config;
  config.num_kv_heads = draws.From(1, 2);
  config.num_heads = config.num_kv_heads * draws.From(1, 3);
  config.head_dim = draws.Of({2, 6, 8, 14, 16, 24, 32, 40});
  config.hidden_size = draws.From(1, 50);
  config.intermediate_size = draws.From(1, 50);
  config.vocab_size = draws.From(2, draws.Once(4) ? 300 : 40);
  config.num_layers = draws.Of({1, 1, 1, 2, 2, 3});
  config.max_position_embeddings = 192;
  config.qkv_bias = draws.Once(2);
  config.architecture = config.qkv_bias ? "Qwen2ForCausalLM" : "LlamaForCausalLM";
  config.tie_word_embeddings = draws.Once(2);
  // Far from uniform, whatever the size.
  config.initializer_range = 1.5 / std::sqrt(static_cast<double>(config.hidden_size));
  if (draws.Once(3)) AddFeatures(draws, &config);
  return config;
}

// No tensor is all ones or zeros.
inline std::shared_ptr<const Weights> RandomModelWeights(RandomCase& draws,
                                                         const ModelConfig& config) {
  const WeightsLayout layout = MakeLayout(config);
  Buffer<float> data = InitWeights(config, layout, draws.Next());
  for (const TensorSpec& tensor : layout.tensors) {
    if (tensor.shape.size() != 1) continue;
    for (int64_t i = 0; i < tensor.size; ++i)
      data[tensor.offset + i] += static_cast<float>(0.6 * draws.Uniform() - 0.3);
  }
  return MakeWeights(layout, std::move(data), 1);
}

inline std::vector<int32_t> RandomTokens(RandomCase& draws, int64_t vocab, int32_t count) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) token = draws.From(0, static_cast<int32_t>(vocab) - 1);
  return tokens;
}

inline int32_t RandomPageSize(RandomCase& draws) { return draws.Of({16, 16, 32, 48, 64, 128}); }

inline std::vector<kernels::Isa> IsasOfThisMachine() {
  std::vector<kernels::Isa> isas;
  for (const kernels::Isa isa :
       {kernels::Isa::kScalar, kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (kernels::IsaAvailable(isa)) isas.push_back(isa);
  }
  return isas;
}

inline kernels::Isa RandomIsa(RandomCase& draws) {
  const std::vector<kernels::Isa> isas = IsasOfThisMachine();
  return isas[draws.Below(static_cast<uint32_t>(isas.size()))];
}

// A case is of one dtype: between them there is no equality.
inline std::string RandomDtype(RandomCase& draws) { return draws.Once(3) ? "bf16" : "f32"; }

inline std::unique_ptr<Backend> ExactBackend(const ModelConfig& config,
                                             const std::shared_ptr<const Weights>& weights,
                                             const std::string& dtype, int threads,
                                             kernels::Isa isa) {
  auto backend = MakeBackend({.dtype = dtype, .threads = threads, .isa = isa}, config);
  backend->SetWeights(weights);
  return backend;
}

// What every other way must give to the bit.
inline std::unique_ptr<Backend> PlainestBackend(const ModelConfig& config,
                                                const std::shared_ptr<const Weights>& weights,
                                                const std::string& dtype) {
  return ExactBackend(config, weights, dtype, 1, kernels::Isa::kScalar);
}

// The first place where the bits differ, for a message; empty when there is none.
inline std::string BitDifference(std::span<const float> expected, std::span<const float> found) {
  if (expected.size() != found.size()) {
    return "expected " + std::to_string(expected.size()) + " numbers, found " +
           std::to_string(found.size());
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::bit_cast<uint32_t>(expected[i]) == std::bit_cast<uint32_t>(found[i])) continue;
    char text[120];
    std::snprintf(text, sizeof text, "number %zu of %zu: expected %a, found %a", i, expected.size(),
                  static_cast<double>(expected[i]), static_cast<double>(found[i]));
    return text;
  }
  return "";
}

}  // namespace hone::testing
