// Tiny random models and batches for the tests of policy/model.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/philox.h"
#include "policy/backend.h"

namespace hone {

struct Family {
  std::string name;
  bool bias, tied;
  int64_t heads, kv_heads, head_dim, hidden, intermediate, vocab;
  void (*change)(ModelConfig*) = nullptr;  // what sets it apart
};

inline void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

inline const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {"LlamaTied", false, true, 4, 2, 32, 64, 80, 61},
      {"LlamaSeparateHead", false, false, 4, 4, 16, 96, 72, 50},
      {"LlamaOneKvHead", false, false, 4, 1, 8, 40, 52, 67},
      {"Qwen2Tied", true, true, 4, 2, 32, 96, 112, 97},
      {"Qwen2SeparateHead", true, false, 4, 1, 32, 64, 64, 300},
      {"LlamaBiases", false, false, 4, 2, 24, 56, 44, 71,
       [](ModelConfig* config) {
         config->qkv_bias = config->o_bias = config->mlp_bias = true;
         config->rope_theta = 5000;
         config->rope_scaling.type = RopeType::kLlama3;
         config->rope_scaling.factor = 8;
         config->rope_scaling.original_positions = 64;
       }},
      {"LlamaYarn", false, true, 4, 2, 32, 64, 80, 61,
       [](ModelConfig* config) {
         config->rope_scaling.type = RopeType::kYarn;
         config->rope_scaling.factor = 4;
         config->rope_scaling.original_positions = 64;
         config->rope_scaling.attention_factor = 1.14;
       }},
      {"Qwen2Windows", true, true, 4, 2, 16, 48, 56, 61,
       [](ModelConfig* config) {
         config->windows = {0, 19};
       }},
      {"Qwen3", false, false, 4, 2, 24, 40, 56, 61,
       [](ModelConfig* config) {
         config->architecture = "Qwen3ForCausalLM";
         config->qk_norm = true;
       }},
      {"Phi3", false, false, 4, 2, 32, 60, 52, 61,
       [](ModelConfig* config) {
         config->architecture = "Phi3ForCausalLM";
         config->windows = {33, 33};
         config->rotary_dim = 24;
         config->rope_scaling.type = RopeType::kLongRope;
         config->rope_scaling.short_factor = std::vector<double>(12, 1.5);
         config->rope_scaling.attention_factor = 1.2;
       }},
      {"Qwen3Experts", false, false, 4, 2, 16, 40, 56, 61,
       [](ModelConfig* config) {
         config->architecture = "Qwen3MoeForCausalLM";
         config->qk_norm = true;
         config->sparse = {1, 0};
         config->num_experts = 5;
         config->experts_per_token = 2;
         config->expert_size = 24;
         config->norm_topk_prob = true;
       }},
      {"Qwen3ExpertsPlainWeights", false, true, 4, 2, 16, 40, 56, 61,
       [](ModelConfig* config) {
         config->architecture = "Qwen3MoeForCausalLM";
         config->qk_norm = true;
         config->sparse = {1, 1};
         config->num_experts = 7;
         config->experts_per_token = 3;
         config->expert_size = 20;
       }},
      {"Gemma2", false, true, 4, 2, 16, 48, 56, 61,
       [](ModelConfig* config) {
         config->architecture = "Gemma2ForCausalLM";
         config->windows = {17, 0};
         config->embedding_scale = 6.9;
         config->norm_offset = 1;
         config->post_norms = true;
         config->attention_scale = 0.2;
         config->attention_softcap = 5;
         config->logit_softcap = 8;
         config->activation = kernels::Gate::kGeluTanh;
       }},
      {"Gemma3", false, true, 4, 1, 24, 40, 56, 61,
       [](ModelConfig* config) {
         config->architecture = "Gemma3ForCausalLM";
         config->windows = {0, 21};
         config->local_rope_theta = 100;
         config->rope_theta = 50000;
         config->norm_offset = 1;
         config->post_norms = config->qk_norm = true;
         config->activation = kernels::Gate::kGeluTanh;
       }},
  };
  return families;
}

inline std::string FamilyName(const testing::TestParamInfo<Family>& info) {
  return info.param.name;
}

inline ModelConfig ConfigOf(const Family& family) {
  ModelConfig config;
  config.architecture = family.bias ? "Qwen2ForCausalLM" : "LlamaForCausalLM";
  config.vocab_size = family.vocab;
  config.hidden_size = family.hidden;
  config.intermediate_size = family.intermediate;
  config.num_layers = 2;
  config.num_heads = family.heads;
  config.num_kv_heads = family.kv_heads;
  config.head_dim = family.head_dim;
  config.max_position_embeddings = 256;
  config.qkv_bias = family.bias;
  config.tie_word_embeddings = family.tied;
  config.initializer_range =
      1.5 / std::sqrt(static_cast<double>(family.hidden));  // far from uniform
  if (family.change != nullptr) family.change(&config);
  return config;
}

inline double Random(uint64_t seed, uint32_t sample, uint32_t position) {
  const auto words = Philox(
      seed,
      {.purpose = Purpose::kGenerateData, .group = 0, .sample = sample, .position = position});
  return UniformDouble(words[0], words[1]);
}

// As InitWeights, with norms about 1 and biases about 0 instead of exactly so.
inline std::shared_ptr<const Weights> RandomWeights(const ModelConfig& config, uint64_t seed) {
  const WeightsLayout layout = MakeLayout(config);
  Buffer<float> data = InitWeights(config, layout, seed);
  for (const TensorSpec& tensor : layout.tensors) {
    if (tensor.shape.size() != 1) continue;
    for (int64_t i = 0; i < tensor.size; ++i) {
      data[tensor.offset + i] +=
          static_cast<float>(0.6 * Random(seed, 1, static_cast<uint32_t>(tensor.offset + i)) - 0.3);
    }
  }
  return MakeWeights(layout, std::move(data), 1);
}

inline std::vector<int32_t> RandomTokens(const ModelConfig& config, uint64_t seed, size_t count) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<int32_t>(Random(seed, 2, static_cast<uint32_t>(i)) *
                                          static_cast<double>(config.vocab_size)));
  }
  return tokens;
}

inline std::vector<float> RandomFloats(uint64_t seed, size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(static_cast<float>(2 * Random(seed, 3, static_cast<uint32_t>(i)) - 1));
  return values;
}

inline std::unique_ptr<Backend> NewBackend(const ModelConfig& config, const BackendOptions& options,
                                           const std::shared_ptr<const Weights>& weights) {
  auto backend = MakeBackend(options, config);
  backend->SetWeights(weights);
  return backend;
}

struct TrainingBatch {
  Batch batch;
  std::vector<Target> targets;
  int32_t pages = 0;  // in use

  int32_t PagesOf(int64_t positions) const { return PagesFor(positions, batch.page_size); }
  // Adds rows of one sequence from `position` on, with the given pages.
  void AddSpan(std::span<const int32_t> tokens, int32_t position,
               const std::vector<int32_t>& own_pages) {
    batch.spans.push_back({.first_row = batch.rows(),
                           .rows = static_cast<int32_t>(tokens.size()),
                           .position = position,
                           .first_page = static_cast<int32_t>(batch.pages.size())});
    batch.tokens_T.insert(batch.tokens_T.end(), tokens.begin(), tokens.end());
    batch.pages.insert(batch.pages.end(), own_pages.begin(), own_pages.end());
  }
  std::vector<int32_t> NewPages(int32_t count) {
    std::vector<int32_t> fresh;
    while (count-- > 0) fresh.push_back(pages++);
    return fresh;
  }
};

// A cache of this many pages that holds nothing: for plans alone.
struct CacheOf final : KvCache {
  CacheOf(int32_t pages, int32_t page_size) : pages_(pages), page_size_(page_size) {}
  int32_t pages() const override { return pages_; }
  int32_t page_size() const override { return page_size_; }
  size_t bytes() const override { return 0; }
  const int32_t pages_, page_size_;
};

struct TestGroup {
  std::vector<int32_t> prompt;
  std::vector<std::vector<int32_t>> completions;
};

inline TestGroup RandomGroup(const ModelConfig& config, uint64_t seed, size_t prompt,
                             std::vector<size_t> lengths) {
  TestGroup group{RandomTokens(config, seed, prompt), {}};
  for (const size_t length : lengths)
    group.completions.push_back(RandomTokens(config, ++seed * 1000, length));
  return group;
}

// The prompt once, its whole pages shared, its last one copied to each completion.
inline void AddShared(const TestGroup& group, TrainingBatch* out) {
  const int32_t length = static_cast<int32_t>(group.prompt.size());
  const std::vector<int32_t> prompt_pages = out->NewPages(out->PagesOf(length));
  out->AddSpan(group.prompt, 0, prompt_pages);
  const int32_t last_row = out->batch.rows() - 1, page_size = out->batch.page_size,
                whole = length / page_size, slots = length % page_size;
  for (const auto& completion : group.completions) {
    const int32_t rows = static_cast<int32_t>(completion.size()) - 1, first_row = out->batch.rows();
    std::vector<int32_t> pages(prompt_pages.begin(), prompt_pages.begin() + whole);
    const auto own = out->NewPages(out->PagesOf(length + rows) - whole);
    pages.insert(pages.end(), own.begin(), own.end());
    if (slots > 0) out->batch.copies.push_back({prompt_pages[whole], own[0], slots});
    out->AddSpan(std::span(completion).first(static_cast<size_t>(rows)), length, pages);
    out->targets.push_back({last_row, completion[0]});
    for (int32_t i = 0; i < rows; ++i) out->targets.push_back({first_row + i, completion[i + 1]});
  }
}

// Each completion behind a prompt of its own.
inline void AddUnshared(const TestGroup& group, TrainingBatch* out) {
  const int32_t length = static_cast<int32_t>(group.prompt.size());
  for (const auto& completion : group.completions) {
    std::vector<int32_t> tokens = group.prompt;
    tokens.insert(tokens.end(), completion.begin(), completion.end() - 1);
    const int32_t first_row = out->batch.rows();
    out->AddSpan(tokens, 0, out->NewPages(out->PagesOf(static_cast<int64_t>(tokens.size()))));
    for (size_t i = 0; i < completion.size(); ++i) {
      out->targets.push_back({first_row + length - 1 + static_cast<int32_t>(i), completion[i]});
    }
  }
}

struct Result {
  std::vector<float> logprobs, entropies, grads;
};

// Forward, and with `dlogprobs` the backward too, adding to `grads`.
inline Result RunTraining(Backend& backend, const TrainingBatch& batch, float temperature,
                          std::span<const float> dlogprobs = {},
                          std::span<const float> dentropies = {}, std::vector<float> grads = {}) {
  Result result{std::vector<float>(batch.targets.size()), std::vector<float>(batch.targets.size()),
                std::move(grads)};
  const auto cache = backend.NewCache(batch.pages, batch.batch.page_size);
  backend.ForwardLogprobs(batch.batch, *cache, batch.targets, temperature, !dlogprobs.empty(),
                          result.logprobs, result.entropies);
  if (dlogprobs.empty()) return result;
  result.grads.resize(static_cast<size_t>(backend.layout().size));
  backend.Backward(dlogprobs, dentropies, result.grads);
  return result;
}

}  // namespace hone
