#include "rollout/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "common/error.h"
#include "kernels/softmax.h"
#include "policy/logprob.h"

namespace hone {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Address At(uint64_t group) { return {Purpose::kSampleToken, group, 3, 5}; }

Draw SampleAt(uint64_t group, const std::vector<float>& logits, const SamplingParams& params,
              const std::vector<int32_t>& seen = {}) {
  static Sampler sampler(kernels::DetectIsa());
  return sampler.Sample(logits, params, seen, /*seed=*/11, At(group));
}

std::set<int32_t> Support(const std::vector<float>& logits, const SamplingParams& params,
                          const std::vector<int32_t>& seen = {}, int draws = 4000) {
  std::set<int32_t> tokens;
  for (int i = 0; i < draws; ++i) tokens.insert(SampleAt(i, logits, params, seen).token);
  return tokens;
}

// Logits of about normal distribution, `scale` wide.
std::vector<float> RandomLogits(uint64_t seed, size_t vocab, double scale) {
  PhiloxSequence draws(seed, {Purpose::kGenerateData});
  std::vector<float> logits(vocab);
  for (float& logit : logits) {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += draws.Uniform() - 0.5;
    logit = static_cast<float>(sum * scale * std::sqrt(3.0));
  }
  return logits;
}

std::vector<float> LogitsOf(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// The same operations in the plainest way, in double: penalty, temperature, min-p, top-k, top-p.
std::vector<double> ReferenceProbabilities(const std::vector<float>& logits,
                                           const SamplingParams& params,
                                           const std::vector<int32_t>& seen) {
  std::vector<double> z(logits.begin(), logits.end());
  for (const int32_t token : std::set<int32_t>(seen.begin(), seen.end())) {
    z[token] =
        z[token] > 0 ? z[token] / params.repetition_penalty : z[token] * params.repetition_penalty;
  }
  const double largest = *std::max_element(z.begin(), z.end());
  std::vector<double> p;
  for (const double value : z) p.push_back(std::exp((value - largest) / params.temperature));
  const auto normalize = [&] {
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& value : p) value /= sum;
  };
  normalize();
  const double most = *std::max_element(p.begin(), p.end());
  for (double& value : p) value = value < params.min_p * most ? 0 : value;
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  if (params.top_k > 0) {
    for (size_t i = params.top_k; i < order.size(); ++i) p[order[i]] = 0;
  }
  normalize();
  double sum = 0;
  for (const size_t token : order) {
    const bool reached = params.top_p < 1 && sum >= params.top_p;
    sum += p[token];
    if (reached) p[token] = 0;
  }
  normalize();
  return p;
}

TEST(SamplerTest, DrawsWhatAPlainDoubleImplementationDraws) {
  const SamplingParams off;
  std::vector<SamplingParams> cases(9, off);
  cases[1].temperature = 0.6f;
  cases[2].top_p = 0.8f;
  cases[3].top_k = 7;
  cases[4].min_p = 0.05f;
  cases[5].repetition_penalty = 1.3f;
  cases[6] = {.temperature = 1.7f, .top_p = 0.95f, .top_k = 40};
  cases[7] = {
      .temperature = 0.7f, .top_p = 0.9f, .top_k = 50, .min_p = 0.02f, .repetition_penalty = 1.2f};
  cases[8] = {.top_p = 0.9f, .min_p = 0.01f};
  const std::vector<int32_t> seen = {1, 5, 5, 5, 30, 2, 1};
  for (size_t c = 0; c < cases.size(); ++c) {
    for (const size_t vocab : {31, 257, 3001}) {
      for (const double scale : {0.5, 3.0}) {
        const std::vector<float> logits = RandomLogits(vocab + c, vocab, scale);
        const std::vector<double> p = ReferenceProbabilities(logits, cases[c], seen);
        int beside = 0;  // draws that fall so close to the edge of a token that rounding decides
        for (uint64_t group = 0; group < 300; ++group) {
          const auto words = Philox(11, At(group));
          const double u = UniformDouble(words[0], words[1]);
          size_t token = 0;
          double sum = p[0];
          while (sum <= u && token + 1 < vocab) sum += p[++token];
          const int32_t drawn = SampleAt(group, logits, cases[c], seen).token;
          if (drawn == static_cast<int32_t>(token)) continue;
          ++beside;
          const double edge = std::min(std::abs(sum - u), std::abs(sum - p[token] - u));
          EXPECT_LT(edge, 2e-5) << "case " << c << " vocab " << vocab << " group " << group;
          EXPECT_GT(p[drawn], 0) << "case " << c << " vocab " << vocab << " group " << group;
        }
        EXPECT_LE(beside, 3) << "case " << c << " vocab " << vocab;
      }
    }
  }
}

TEST(SamplerTest, FrequenciesFollowTheProbabilities) {
  const std::vector<double> p = {0.3, 0.02, 0.25, 0.05, 0.1, 0.2, 0.07, 0.01};
  constexpr int kDraws = 40000;
  std::vector<int> counts(p.size());
  for (int i = 0; i < kDraws; ++i) ++counts[SampleAt(i, LogitsOf(p), {}).token];
  double chi_square = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = p[i] * kDraws;
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 24.32);  // 99.9 % for 7 degrees of freedom
}

TEST(SamplerTest, LogprobAndEntropyAreTheLearnersWhateverIsTruncated) {
  const std::vector<float> logits = RandomLogits(4, 1000, 3.0);
  std::vector<int32_t> seen(500);  // half of the vocabulary
  std::iota(seen.begin(), seen.end(), 0);
  const SamplingParams truncated = {
      .temperature = 0.8f, .top_p = 0.5f, .top_k = 20, .min_p = 0.01f, .repetition_penalty = 1.02f};
  for (const SamplingParams& params :
       {SamplingParams{}, SamplingParams{.temperature = 0.3f}, truncated,
        SamplingParams{.greedy = true, .temperature = 0.5f}}) {
    const float temperature = params.greedy ? 1.0f : params.temperature;
    const float log_sum_exp = LogSumExp(logits, temperature);
    float same = 0, entropy = 0;
    kernels::LogSumExpRows({nullptr, kernels::Isa::kScalar}, logits.data(), 1000, 1, 1000,
                           temperature, &same, &entropy);
    for (uint64_t group = 0; group < 50; ++group) {
      const Draw draw = SampleAt(group, logits, params, seen);
      const float expected = LogProb(logits, draw.token, temperature, log_sum_exp);
      EXPECT_EQ(std::bit_cast<uint32_t>(draw.logprob), std::bit_cast<uint32_t>(expected));
      EXPECT_EQ(std::bit_cast<uint32_t>(draw.entropy), std::bit_cast<uint32_t>(entropy));
    }
  }
}

TEST(SamplerTest, TopPKeepsTheSmallestSetReachingP) {
  const std::vector<float> logits = LogitsOf({0.1, 0.4, 0.05, 0.3, 0.15});
  EXPECT_EQ(Support(logits, {.top_p = 0.35f}), (std::set<int32_t>{1}));
  EXPECT_EQ(Support(logits, {.top_p = 0.45f}), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(Support(logits, {.top_p = 0.8f}), (std::set<int32_t>{1, 3, 4}));
  EXPECT_EQ(Support(logits, {.top_p = 0.99f}), (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(Support(logits, {.top_p = 1e-6f}), (std::set<int32_t>{1}));
}

TEST(SamplerTest, TopPPrefersSmallerIdsAmongEquals) {
  EXPECT_EQ(Support(std::vector<float>(8, 1.0f), {.top_p = 0.5f}), (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(Support(std::vector<float>(8, 1.0f), {.top_p = 0.3f}), (std::set<int32_t>{0, 1, 2}));
}

TEST(SamplerTest, TopPCountsOfWhatTopKLeft) {
  // Of 0.4 + 0.3 the first alone is 57 %.
  const std::vector<float> logits = LogitsOf({0.1, 0.4, 0.05, 0.3, 0.15});
  EXPECT_EQ(Support(logits, {.top_p = 0.5f, .top_k = 2}), (std::set<int32_t>{1}));
  EXPECT_EQ(Support(logits, {.top_p = 0.6f, .top_k = 2}), (std::set<int32_t>{1, 3}));
}

TEST(SamplerTest, TopKKeepsTheKMostLikelyAndSmallerIdsAmongEquals) {
  const std::vector<float> logits = {0, 2, 1, 2, 1, 1};
  EXPECT_EQ(Support(logits, {.top_k = 1}), (std::set<int32_t>{1}));
  EXPECT_EQ(Support(logits, {.top_k = 2}), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(Support(logits, {.top_k = 4}), (std::set<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(Support(logits, {.top_k = 6}).size(), 6u);
  EXPECT_EQ(Support(logits, {.top_k = 100}).size(), 6u);
}

TEST(SamplerTest, MinPIsRelativeToTheMostLikely) {
  const std::vector<float> logits = LogitsOf({0.5, 0.24, 0.26});
  EXPECT_EQ(Support(logits, {.min_p = 0.5f}), (std::set<int32_t>{0, 2}));
  EXPECT_EQ(Support(logits, {.min_p = 0.4f}), (std::set<int32_t>{0, 1, 2}));
}

TEST(SamplerTest, MinPLooksAtProbabilitiesAtTheTemperature) {
  const std::vector<float> logits = LogitsOf({0.6, 0.4});  // 0.69 and 0.31 at temperature 0.5
  EXPECT_EQ(Support(logits, {.min_p = 0.6f}).size(), 2u);
  EXPECT_EQ(Support(logits, {.temperature = 0.5f, .min_p = 0.6f}).size(), 1u);
}

TEST(SamplerTest, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogitsOnce) {
  const SamplingParams params = {.greedy = true, .repetition_penalty = 2.0f};
  EXPECT_EQ(SampleAt(0, {4, 3, 1}, params, {0, 2}).token, 1);
  EXPECT_EQ(SampleAt(0, {4, 1.5f, 1}, params, {0, 0, 0}).token, 0);  // 2, not 0.5
  EXPECT_EQ(SampleAt(0, {-1, -1.5f, -4}, params, {0}).token, 1);
  EXPECT_EQ(SampleAt(0, {-1, -1.5f, -4}, params, {}).token, 0);
}

TEST(SamplerTest, GreedyTakesTheSmallestIdAmongTheLargest) {
  EXPECT_EQ(SampleAt(0, {1, 5, 2, 5, 5}, {.greedy = true}).token, 1);
}

TEST(SamplerTest, NeverDrawsATokenOfProbabilityZero) {
  std::vector<float> logits(1000, -kInf);
  const std::set<int32_t> possible = {0, 255, 256, 511, 999};
  for (const int32_t token : possible) logits[token] = 1;
  for (const SamplingParams& params :
       {SamplingParams{}, SamplingParams{.top_p = 0.9999f}, SamplingParams{.top_k = 900},
        SamplingParams{.min_p = 0.1f}}) {
    EXPECT_EQ(Support(logits, params), possible);
  }
  std::fill(logits.begin(), logits.end(), -200.0f);  // exp underflows to 0
  logits[600] = 0;
  EXPECT_EQ(Support(logits, {}), (std::set<int32_t>{600}));
}

TEST(SamplerTest, NeverDrawsATokenOfProbabilityZeroAtTheEndOfTheRange) {
  // At this address the uniform is all but 1: where rounding leaves the sum short of it, the last
  // token that has a probability is drawn, not one of those after it.
  constexpr uint64_t kGroup = 938977688;
  const auto words = Philox(11, At(kGroup));
  ASSERT_GT(UniformDouble(words[0], words[1]), 1 - 2e-9);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<float> logits = RandomLogits(seed, 600, 1.0);
    std::fill(logits.begin() + 240, logits.end(), -kInf);
    EXPECT_LT(SampleAt(kGroup, logits, {}).token, 240) << "seed " << seed;
  }
}

TEST(SamplerTest, GivesTheSameBitsOnEveryIsa) {
  const std::vector<float> logits = RandomLogits(9, 5003, 2.0);
  for (const kernels::Isa isa : {kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::IsaAvailable(isa)) continue;
    Sampler scalar(kernels::Isa::kScalar), vector(isa);
    for (uint64_t group = 0; group < 200; ++group) {
      SamplingParams params{.temperature = 0.9f};
      if (group % 2 == 1) params.top_p = 0.9f;
      const Draw a = scalar.Sample(logits, params, {}, 1, At(group));
      const Draw b = vector.Sample(logits, params, {}, 1, At(group));
      EXPECT_EQ(a.token, b.token);
      EXPECT_EQ(std::bit_cast<uint32_t>(a.logprob), std::bit_cast<uint32_t>(b.logprob));
      EXPECT_EQ(std::bit_cast<uint32_t>(a.entropy), std::bit_cast<uint32_t>(b.entropy));
    }
  }
}

TEST(SamplerTest, ADrawDependsOnItsAddressAndSeedAlone) {
  const std::vector<float> logits = RandomLogits(2, 300, 0.5);
  Sampler sampler(kernels::DetectIsa());
  const auto draw = [&](uint64_t seed, const Address& address) {
    return sampler.Sample(logits, {}, {}, seed, address).token;
  };
  int same_sample = 0, same_position = 0, same_seed = 0;
  for (uint64_t group = 0; group < 100; ++group) {
    const int32_t token = draw(7, {Purpose::kSampleToken, group, 0, 0});
    EXPECT_EQ(token, draw(7, {Purpose::kSampleToken, group, 0, 0}));
    same_sample += token == draw(7, {Purpose::kSampleToken, group, 1, 0});
    same_position += token == draw(7, {Purpose::kSampleToken, group, 0, 1});
    same_seed += token == draw(8, {Purpose::kSampleToken, group, 0, 0});
  }
  EXPECT_LT(same_sample, 10);
  EXPECT_LT(same_position, 10);
  EXPECT_LT(same_seed, 10);
}

TEST(SamplerTest, RefusesLogitsThatAreNoNumbers) {
  EXPECT_THROW(SampleAt(0, {1, kNan, 2}, {}), RunError);
  EXPECT_THROW(SampleAt(0, {1, kInf, 2}, {}), RunError);
  EXPECT_THROW(SampleAt(0, {kNan, 1}, {.greedy = true}), RunError);
  EXPECT_THROW(SampleAt(0, {-kInf, -kInf}, {}), RunError);
}

TEST(SamplerTest, RefusesParametersOutOfRange) {
  CheckSampling({});
  for (const float bad : {0.0f, -1.0f, kNan, kInf}) {
    EXPECT_THROW(CheckSampling({.temperature = bad}), UsageError);
    EXPECT_THROW(CheckSampling({.repetition_penalty = bad}), UsageError);
  }
  for (const float bad : {0.0f, 1.1f, kNan})
    EXPECT_THROW(CheckSampling({.top_p = bad}), UsageError);
  for (const float bad : {-0.1f, 1.0f, kNan})
    EXPECT_THROW(CheckSampling({.min_p = bad}), UsageError);
  EXPECT_THROW(CheckSampling({.top_k = -1}), UsageError);
}

}  // namespace
}  // namespace hone
