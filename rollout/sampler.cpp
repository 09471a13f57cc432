#include "rollout/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/error.h"
#include "kernels/softmax.h"
#include "policy/logprob.h"

namespace hone {
namespace {

// Weights are added in blocks: 16 lanes (element i in lane i mod 16) and a tree, so that any vector
// width gives the same bits; the blocks' sums are added in order, in double.
constexpr int64_t kBlock = kernels::kLogitBlock;
constexpr int kLanes = 16;

int64_t Blocks(int64_t vocab) { return (vocab + kBlock - 1) / kBlock; }

float BlockSum(const float* p, int64_t n) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += p[i + lane];
  }
  for (int lane = 0; i + lane < n; ++lane) lanes[lane] += p[i + lane];
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

int32_t Argmax(std::span<const float> logits_V) {
  size_t best = 0;
  for (size_t token = 1; token < logits_V.size(); ++token) {
    if (logits_V[token] > logits_V[best]) best = token;
  }
  return static_cast<int32_t>(best);
}

double Sum(std::span<const float> block_sums) {
  double sum = 0;
  for (const float of_block : block_sums) sum += of_block;
  return sum;
}

// The inverse of the distribution function at `uniform`, tokens in order of id: first the block,
// then the token in it. A token of weight 0 is never drawn. weights(begin, n): of n tokens.
template <class Weights>
int32_t Invert(double uniform, std::span<const float> block_sums, int64_t vocab,
               const Weights& weights) {
  const double goal = uniform * Sum(block_sums);
  size_t block = 0;   // of positive sum: the one that reaches the goal, else (by rounding) the last
  double before = 0;  // the sum of all blocks before it
  double sum = 0;
  for (size_t i = 0; i < block_sums.size(); ++i) {
    if (block_sums[i] > 0) {
      block = i;
      before = sum;
    }
    sum += block_sums[i];
    if (sum > goal) break;
  }
  const int64_t begin = static_cast<int64_t>(block) * kBlock, n = std::min(kBlock, vocab - begin);
  const float* of_token = weights(begin, n);
  int64_t drawn = 0;
  sum = before;
  for (int64_t i = 0; i < n; ++i) {
    if (of_token[i] <= 0) continue;
    drawn = begin + i;
    sum += of_token[i];
    if (sum > goal) break;
  }
  return static_cast<int32_t>(drawn);
}

bool Truncates(const SamplingParams& params, int64_t vocab) {
  return params.top_p < 1 || params.min_p > 0 || (params.top_k > 0 && params.top_k < vocab);
}

constexpr auto kMoreLikely = [](const auto& a, const auto& b) {
  return a.probability > b.probability || (a.probability == b.probability && a.token < b.token);
};

}  // namespace

void CheckSampling(const SamplingParams& params) {
  const auto fail = [](const char* name, const char* expected, double found) {
    throw UsageError(fmt::format("{}: expected {}, found {}", name, expected, found));
  };
  if (!params.greedy && !(params.temperature > 0 && std::isfinite(params.temperature))) {
    fail("temperature", "a number above 0", params.temperature);
  }
  if (!(params.top_p > 0 && params.top_p <= 1)) {
    fail("top_p", "a number above 0 and at most 1", params.top_p);
  }
  if (params.top_k < 0) fail("top_k", "0 (off) or more", params.top_k);
  if (!(params.min_p >= 0 && params.min_p < 1)) {
    fail("min_p", "a number from 0 to below 1", params.min_p);
  }
  if (!(params.repetition_penalty > 0 && std::isfinite(params.repetition_penalty))) {
    fail("repetition_penalty", "a number above 0", params.repetition_penalty);
  }
}

Draw Sampler::Sample(std::span<const float> logits_V, const SamplingParams& params,
                     std::span<const int32_t> seen, uint64_t seed, const Address& address) {
  const float temperature = params.greedy ? 1.0f : params.temperature;
  const kernels::LogitRow row = Measure(logits_V, temperature);
  std::span<const float> drawn_V = logits_V;
  kernels::LogitRow drawn = row;
  if (params.repetition_penalty != 1.0f) {
    drawn_V = Penalize(logits_V, params.repetition_penalty, seen);
    if (!params.greedy) drawn = Measure(drawn_V, temperature);
  }
  Draw draw;
  draw.entropy = row.entropy;
  if (params.greedy) {
    draw.token = Argmax(drawn_V);
  } else {
    const auto words = Philox(seed, address);
    const double uniform = UniformDouble(words[0], words[1]);
    draw.token = Truncates(params, static_cast<int64_t>(drawn_V.size()))
                     ? DrawTruncated(drawn_V, params, drawn.log_sum_exp, uniform)
                     : DrawWhole(drawn_V, temperature, drawn.max, uniform);
  }
  draw.logprob = LogProb(logits_V, draw.token, temperature, row.log_sum_exp);
  return draw;
}

// Leaves in block_sums_ what DrawWhole needs.
kernels::LogitRow Sampler::Measure(std::span<const float> logits_V, float temperature) {
  const auto vocab = static_cast<int64_t>(logits_V.size());
  block_sums_.resize(static_cast<size_t>(Blocks(vocab)));
  const kernels::LogitRow row =
      kernels::LogSumExpRow(isa_, logits_V.data(), vocab, temperature, block_sums_.data());
  if (!std::isfinite(row.log_sum_exp)) {
    throw RunError(
        fmt::format("cannot draw a token: the log-sum-exp of the logits at temperature {} is {}; "
                    "the weights hold "
                    "values that are no numbers or far too large, or the temperature is too small",
                    temperature, row.log_sum_exp));
  }
  return row;
}

// From the whole vocabulary: of all weights but those of one block, only the sums are needed.
int32_t Sampler::DrawWhole(std::span<const float> logits_V, float temperature, float max,
                           double uniform) {
  return Invert(uniform, block_sums_, static_cast<int64_t>(logits_V.size()),
                [&](int64_t begin, int64_t n) {
                  probabilities_V_.Reserve(static_cast<size_t>(kBlock));
                  kernels::ExpRow(isa_, logits_V.data() + begin, n, temperature, max,
                                  probabilities_V_.data());
                  return probabilities_V_.data();
                });
}

int32_t Sampler::DrawTruncated(std::span<const float> logits_V, const SamplingParams& params,
                               float log_sum_exp, double uniform) {
  const auto vocab = static_cast<int64_t>(logits_V.size());
  probabilities_V_.Reserve(logits_V.size());
  kernels::ExpRow(isa_, logits_V.data(), vocab, params.temperature, log_sum_exp,
                  probabilities_V_.data());
  Truncate(params);
  SumBlocks();
  return Invert(uniform, block_sums_, vocab,
                [&](int64_t begin, int64_t) { return probabilities_V_.data() + begin; });
}

// Keskar et al., arXiv:1909.05858, section 4.1, with transformers' sign rule.
std::span<const float> Sampler::Penalize(std::span<const float> logits_V, float penalty,
                                         std::span<const int32_t> seen) {
  penalized_V_.Reserve(logits_V.size());
  std::copy(logits_V.begin(), logits_V.end(), penalized_V_.begin());
  seen_at_V_.resize(logits_V.size(), 0);
  ++calls_;
  for (const int32_t token : seen) {
    if (seen_at_V_[token] == calls_) continue;
    seen_at_V_[token] = calls_;
    float& logit = penalized_V_[token];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
  return penalized_V_.span();
}

// Sets the probability of every token that is cut off to 0; the draw itself knows of no truncation.
void Sampler::Truncate(const SamplingParams& params) {
  const auto vocab = static_cast<int32_t>(probabilities_V_.size());
  const bool top_k = params.top_k > 0 && params.top_k < vocab;
  const bool top_p = params.top_p < 1;
  float least = 0;
  if (params.min_p > 0) {
    least = params.min_p * *std::max_element(probabilities_V_.begin(), probabilities_V_.end());
  }
  if (!top_k && !top_p) {
    for (float& probability : probabilities_V_) {
      if (probability < least) probability = 0;
    }
    return;
  }
  double total = 0;  // of what top-p sees
  if (!top_k && params.min_p == 0) {
    SumBlocks();
    total = Sum(block_sums_);
    // All tokens rarer than this together are rarer than half of what top-p cuts off: none is kept.
    least = static_cast<float>(0.5 * (1.0 - params.top_p) * total / vocab);
  }
  GatherCandidates(least);
  if (top_k) KeepTopK(params.top_k);
  if (top_p) {
    if (total == 0) {
      for (const Candidate& candidate : candidates_) total += candidate.probability;
    }
    KeepTopP(params.top_p, total);
  }
  std::fill(probabilities_V_.begin(), probabilities_V_.end(), 0.0f);
  for (const Candidate& kept : candidates_) probabilities_V_[kept.token] = kept.probability;
}

void Sampler::GatherCandidates(float least) {
  candidates_.clear();
  for (size_t token = 0; token < probabilities_V_.size(); ++token) {
    const float probability = probabilities_V_[token];
    if (probability > 0 && probability >= least) {
      candidates_.push_back({probability, static_cast<int32_t>(token)});
    }
  }
}

// The k most likely, in an order that depends on nothing but their probabilities: top-p adds them
// up.
void Sampler::KeepTopK(int32_t k) {
  if (static_cast<size_t>(k) < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + k, candidates_.end(), kMoreLikely);
    candidates_.resize(static_cast<size_t>(k));
  }
  std::sort(candidates_.begin(), candidates_.end(), kMoreLikely);
}

// The smallest set of the most likely whose share of `total` reaches p: Holtzman et al.,
// arXiv:1904.09751, eq. 2. Sorts no further than it has to.
void Sampler::KeepTopP(float p, double total) {
  const double goal = static_cast<double>(p) * total;
  double sum = 0;
  size_t kept = 0;
  for (size_t chunk = 64; kept < candidates_.size(); chunk *= 4) {
    const auto begin = candidates_.begin() + static_cast<std::ptrdiff_t>(kept);
    const size_t size = std::min(chunk, candidates_.size() - kept);
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    if (end != candidates_.end()) std::nth_element(begin, end, candidates_.end(), kMoreLikely);
    std::sort(begin, end, kMoreLikely);
    for (auto candidate = begin; candidate != end; ++candidate) {
      sum += candidate->probability;
      ++kept;
      if (sum >= goal) {
        candidates_.resize(kept);
        return;
      }
    }
  }
}

void Sampler::SumBlocks() {
  const auto vocab = static_cast<int64_t>(probabilities_V_.size());
  block_sums_.resize(static_cast<size_t>(Blocks(vocab)));
  for (int64_t begin = 0; begin < vocab; begin += kBlock) {
    block_sums_[begin / kBlock] =
        BlockSum(probabilities_V_.data() + begin, std::min(kBlock, vocab - begin));
  }
}

}  // namespace hone
