#include "cli/export_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "common/error.h"
#include "policy/backend.h"

namespace hone {
namespace {

constexpr int32_t kSequences = 4, kTokensEach = 16;

// Sequences of tokens from all over the vocabulary.
Batch ProbeBatch(const ModelConfig& config) {
  const auto length =
      static_cast<int32_t>(std::min<int64_t>(kTokensEach, config.max_position_embeddings));
  Batch batch;
  for (int32_t s = 0; s < kSequences; ++s) {
    const auto pages = static_cast<int32_t>(batch.pages.size());
    batch.spans.push_back(
        {.first_row = s * length, .rows = length, .position = 0, .first_page = pages});
    for (int32_t p = 0; p < PagesFor(length, batch.page_size); ++p)
      batch.pages.push_back(pages + p);
    for (int32_t t = 0; t < length; ++t) {
      // Fibonacci hashing: the golden ratio's multiples spread evenly.
      const uint64_t spread = (static_cast<uint64_t>(s * length + t) + 1) * 0x9E3779B97F4A7C15;
      batch.tokens_T.push_back(
          static_cast<int32_t>((spread >> 32) % static_cast<uint64_t>(config.vocab_size)));
    }
  }
  return batch;
}

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

Probe RunProbe(const ModelConfig& config, std::shared_ptr<const Weights> weights, int threads) {
  BackendOptions options;
  options.threads = threads;
  const std::unique_ptr<Backend> backend = MakeBackend(options, config);
  backend->SetWeights(std::move(weights));
  const Batch batch = ProbeBatch(config);
  const auto cache = backend->NewCache(static_cast<int32_t>(batch.pages.size()));
  std::vector<int32_t> rows(static_cast<size_t>(batch.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  Probe probe;
  probe.tokens = batch.rows();
  probe.logits_TV.resize(rows.size() * static_cast<size_t>(config.vocab_size));
  backend->Forward(batch, *cache, rows, probe.logits_TV);
  return probe;
}

float MaxAbsDiff(const Probe& a, const Probe& b) {
  float largest = 0;
  for (size_t i = 0; i < a.logits_TV.size(); ++i)
    largest = std::max(largest, std::fabs(a.logits_TV[i] - b.logits_TV[i]));
  return largest;
}

void CheckSameWeights(const WeightsLayout& layout, const Weights& meant, const Weights& read,
                      const std::filesystem::path& path) {
  for (const TensorSpec& spec : layout.tensors) {
    const auto at = static_cast<size_t>(spec.offset), size = static_cast<size_t>(spec.size);
    if (!SameBits(meant.data.subspan(at, size), read.data.subspan(at, size))) {
      throw RunError(fmt::format("{}: tensor {} reads back differently than it was written",
                                 path.string(), spec.name));
    }
  }
}

void CheckSameLogits(const Probe& meant, const Probe& read, const std::filesystem::path& path) {
  if (SameBits(meant.logits_TV, read.logits_TV)) return;
  throw RunError(
      fmt::format("{}: its weights give other logits (by up to {}) than those that were "
                  "to be written",
                  path.string(), MaxAbsDiff(meant, read)));
}

}  // namespace hone
