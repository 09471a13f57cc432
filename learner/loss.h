// The GRPO loss on log-probabilities: plain functions on arrays. Shao et al., arXiv:2402.03300,
// equation 3, with the clip of PPO (arXiv:1707.06347), separate bounds (DAPO, arXiv:2503.14476,
// equation 8) and the aggregations that TRL 1.16 names in `loss_type`. Everything is computed in
// double from float inputs and added in order of sample and token, so it has the same bits however
// the batch was cut into micro-batches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/config.h"
#include "learner/learner.h"

namespace hone {

struct LossSettings {
  double epsilon_low = 0.2, epsilon_high = 0.2;
  double beta = 0;  // 0: no KL term, no reference
  bool use_bias_correction_kl =
      true;  // KL of a token times its ratio (DeepSeek-V3.2), the gradient through both
};
LossSettings LossSettingsOf(const AlgorithmSection& algorithm);

// One token's term, before aggregation.
struct TokenTerm {
  double loss = 0;
  double dlogprob = 0;  // d loss / d logprob
  double kl = 0;        // as it enters the loss, without beta
  bool clipped_low = false, clipped_high = false;
};

// `old_logprob` is the behaviour policy's (the ratio's denominator), `reference` only read when
// beta > 0.
TokenTerm TokenLoss(const LossSettings& settings, double logprob, double old_logprob,
                    double reference, double advantage);

// What each token of each sample weighs in the step's loss, by `loss_type`:
//   grpo     1 / (B * length)           mean over tokens, then over samples
//   bnpo     1 / tokens of the step     (dapo too: TRL's two differ only between micro-batches,
//   here is one step) dr_grpo  1 / (B * max_completion_length)
// A masked sample's tokens weigh 0 and are in no sum of tokens. `samples` is the B of the formulas:
// all samples that a verifier judged, masked for their length or not (TRL's meaning).
std::vector<double> TokenWeights(const std::string& loss_type, std::span<const int64_t> lengths_B,
                                 std::span<const uint8_t> masked_B, int64_t samples,
                                 int64_t max_completion_length);

// One sample's tokens. Spans have the completion's length, or are empty where said.
struct SampleTokens {
  std::span<const float> logprobs, entropies;
  std::span<const float> old_logprobs;  // empty: logprobs themselves (ratio exactly 1)
  std::span<const float> reference;     // empty when beta is 0
  float advantage = 0;
  double weight = 0;  // of TokenWeights
  bool masked = false;
};

// Fills dlogprobs (the sample's length) with d loss / d logprob.
void SampleGradient(const LossSettings& settings, const SampleTokens& sample,
                    std::span<float> dlogprobs);

// loss, kl (when beta > 0), entropy, clip_ratio/…: means over the unmasked tokens of the step.
void AddLossMetrics(const LossSettings& settings, std::span<const SampleTokens> samples,
                    Metrics* metrics);

// completions/mean_length, min_, max_, clipped_ratio, and the _terminated_ ones: over samples that
// ended themselves (0 when none did).
void AddCompletionMetrics(std::span<const int64_t> lengths_B, std::span<const uint8_t> truncated_B,
                          Metrics* metrics);

}  // namespace hone
