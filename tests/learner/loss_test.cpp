#include "learner/loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/philox.h"

namespace hone {
namespace {

// The loss of a token as TRL writes it, with the C library's exp.
double PlainLoss(const LossSettings& settings, double logprob, double old, double reference,
                 double advantage) {
  const double ratio = std::exp(logprob - old);
  const double clipped =
      std::min(std::max(ratio, 1 - settings.epsilon_low), 1 + settings.epsilon_high);
  double kl = std::exp(reference - logprob) - (reference - logprob) - 1;
  if (settings.use_bias_correction_kl) kl *= ratio;
  return -std::min(ratio * advantage, clipped * advantage) +
         (settings.beta != 0 ? settings.beta * kl : 0);
}

TEST(LossTest, ATokenFollowsTheFormulaAndItsGradientFiniteDifferences) {
  const uint64_t seed = 4;
  SCOPED_TRACE(seed);
  PhiloxSequence draws(seed, {.purpose = Purpose::kGenerateData});
  for (int i = 0; i < 400; ++i) {
    const LossSettings settings{.epsilon_low = 0.2,
                                .epsilon_high = 0.3,
                                .beta = i % 2 ? 0.04 : 0,
                                .use_bias_correction_kl = i % 4 < 2};
    const double old = -3 * draws.Uniform(), x = old + draws.Uniform() - 0.5,
                 reference = x + draws.Uniform() - 0.5;
    const double advantage = 2 * draws.Uniform() - 1;
    const TokenTerm term = TokenLoss(settings, x, old, reference, advantage);
    EXPECT_NEAR(term.loss, PlainLoss(settings, x, old, reference, advantage), 1e-13);
    const double h = 1e-6;
    // The loss has a corner where the ratio meets a bound; no difference is taken across it.
    const double ratio = std::exp(x - old);
    if (std::abs(ratio - 0.8) < 1e-4 || std::abs(ratio - 1.3) < 1e-4) continue;
    const double slope = (PlainLoss(settings, x + h, old, reference, advantage) -
                          PlainLoss(settings, x - h, old, reference, advantage)) /
                         (2 * h);
    EXPECT_NEAR(term.dlogprob, slope, 1e-7);
  }
}

TEST(LossTest, ClippingStopsTheGradientOnTheSideThatGained) {
  const LossSettings settings{.epsilon_low = 0.2, .epsilon_high = 0.3};
  const auto at = [&](double ratio, double advantage) {
    return TokenLoss(settings, std::log(ratio), 0, 0, advantage);
  };
  EXPECT_TRUE(at(1.31, 1).clipped_high);
  EXPECT_EQ(at(1.31, 1).dlogprob, 0);
  EXPECT_NEAR(at(1.31, 1).loss, -1.3, 1e-12);
  EXPECT_FALSE(at(1.31, -1).clipped_high);
  EXPECT_NEAR(at(1.31, -1).dlogprob, 1.31, 1e-12);
  EXPECT_TRUE(at(0.79, -1).clipped_low);
  EXPECT_EQ(at(0.79, -1).dlogprob, 0);
  EXPECT_FALSE(at(0.79, 1).clipped_low);
  EXPECT_NEAR(at(0.79, 1).dlogprob, -0.79, 1e-12);
}

TEST(LossTest, AFreshTokensRatioIsExactlyOne) {
  for (const double logprob : {-0.1, -3.7, -40.0}) {
    EXPECT_EQ(TokenLoss({}, logprob, logprob, 0, 0.625).dlogprob, -0.625);
    EXPECT_EQ(TokenLoss({}, logprob, logprob, 0, 0.625).loss, -0.625);
  }
}

TEST(LossTest, ARatioGoneWildWithoutAdvantageIsNoNaN) {
  EXPECT_EQ(TokenLoss({}, 0, -5000, 0, 0).loss, 0);
}

TEST(LossTest, WeightsAreTheAggregationsOfTrl) {
  const std::vector<int64_t> lengths = {4, 2, 6};
  const std::vector<uint8_t> none = {0, 0, 0}, last = {0, 0, 1};
  EXPECT_EQ(TokenWeights("grpo", lengths, none, 3, 8),
            (std::vector<double>{1 / 12.0, 1 / 6.0, 1 / 18.0}));
  EXPECT_EQ(TokenWeights("bnpo", lengths, none, 3, 8), (std::vector<double>(3, 1 / 12.0)));
  EXPECT_EQ(TokenWeights("dapo", lengths, none, 3, 8), (std::vector<double>(3, 1 / 12.0)));
  EXPECT_EQ(TokenWeights("dr_grpo", lengths, none, 3, 8), (std::vector<double>(3, 1 / 24.0)));
  // A masked sample's tokens are in no sum of tokens, but it stays one of the samples.
  EXPECT_EQ(TokenWeights("grpo", lengths, last, 3, 8), (std::vector<double>{1 / 12.0, 1 / 6.0, 0}));
  EXPECT_EQ(TokenWeights("bnpo", lengths, last, 3, 8), (std::vector<double>{1 / 6.0, 1 / 6.0, 0}));
  EXPECT_EQ(TokenWeights("dr_grpo", lengths, last, 3, 8),
            (std::vector<double>{1 / 24.0, 1 / 24.0, 0}));
  const std::vector<uint8_t> all = {1, 1, 1};
  EXPECT_EQ(TokenWeights("dapo", lengths, all, 3, 8), (std::vector<double>(3, 0)));
}

TEST(LossTest, MetricsAreMeansOverUnmaskedTokens) {
  const LossSettings settings{
      .epsilon_low = 0.2, .epsilon_high = 0.2, .beta = 0.5, .use_bias_correction_kl = false};
  const std::vector<float> a = {-1, -2}, b = {-3}, c = {-9, -9};
  const std::vector<float> entropy_a = {1, 2}, entropy_b = {6}, entropy_c = {50, 50};
  // Ratios: e^0.5 and e^0 in the first, e^-0.5 in the second.
  const std::vector<float> old_a = {-1.5f, -2}, old_b = {-2.5f};
  std::vector<SampleTokens> samples(3);
  samples[0] = {a, entropy_a, old_a, a, 1.0f, 0.25, false};
  samples[1] = {b, entropy_b, old_b, b, -1.0f, 0.25, false};
  samples[2] = {c, entropy_c, {}, c, 1.0f, 0, true};
  Metrics metrics;
  AddLossMetrics(settings, samples, &metrics);
  EXPECT_DOUBLE_EQ(metrics.at("entropy"), 3);
  EXPECT_DOUBLE_EQ(metrics.at("kl"), 0);
  EXPECT_DOUBLE_EQ(metrics.at("clip_ratio/high_mean"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("clip_ratio/low_mean"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("clip_ratio/region_mean"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("clip_ratio/high_max"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("clip_ratio/low_min"), 0);
  EXPECT_NEAR(metrics.at("loss"), 0.25 * (-1.2 - 1 + 0.8), 1e-12);
  std::vector<float> gradient(2, 7.0f);
  SampleGradient(settings, samples[2], gradient);
  EXPECT_EQ(gradient, (std::vector<float>{0, 0}));
}

TEST(LossTest, CompletionMetricsTellTruncatedOnesApart) {
  Metrics metrics;
  AddCompletionMetrics(std::vector<int64_t>{4, 10, 1}, std::vector<uint8_t>{0, 1, 0}, &metrics);
  EXPECT_DOUBLE_EQ(metrics.at("completions/mean_length"), 5);
  EXPECT_DOUBLE_EQ(metrics.at("completions/min_length"), 1);
  EXPECT_DOUBLE_EQ(metrics.at("completions/max_length"), 10);
  EXPECT_DOUBLE_EQ(metrics.at("completions/clipped_ratio"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.at("completions/mean_terminated_length"), 2.5);
  EXPECT_DOUBLE_EQ(metrics.at("completions/max_terminated_length"), 4);
  AddCompletionMetrics(std::vector<int64_t>{7}, std::vector<uint8_t>{1}, &metrics);
  EXPECT_DOUBLE_EQ(metrics.at("completions/mean_terminated_length"), 0);
  EXPECT_DOUBLE_EQ(metrics.at("completions/min_terminated_length"), 0);
}

}  // namespace
}  // namespace hone
