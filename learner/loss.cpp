#include "learner/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/deterministic_math.h"

namespace hone {
namespace {

// e^x in the same bits everywhere. Clamped well inside double's range, so that a ratio gone wild
// times an advantage of 0 is 0 and not NaN.
double Exp(double x) { return Exp2(std::clamp(x, -600.0, 600.0) * 1.44269504088896340736); }

TokenTerm TermOf(const LossSettings& settings, const SampleTokens& sample, size_t t) {
  const double old = sample.old_logprobs.empty() ? sample.logprobs[t] : sample.old_logprobs[t];
  const double reference = settings.beta != 0 ? sample.reference[t] : 0;
  return TokenLoss(settings, sample.logprobs[t], old, reference, sample.advantage);
}

}  // namespace

LossSettings LossSettingsOf(const AlgorithmSection& algorithm) {
  return {.epsilon_low = algorithm.epsilon,
          .epsilon_high = algorithm.epsilon_high.value_or(algorithm.epsilon),
          .beta = algorithm.beta,
          .use_bias_correction_kl = algorithm.use_bias_correction_kl};
}

TokenTerm TokenLoss(const LossSettings& settings, double logprob, double old_logprob,
                    double reference, double advantage) {
  TokenTerm term;
  const double ratio = Exp(logprob - old_logprob);
  const double low = 1 - settings.epsilon_low, high = 1 + settings.epsilon_high;
  const double free_gain = ratio * advantage;
  const double clipped_gain = std::clamp(ratio, low, high) * advantage;
  term.clipped_low = ratio < low && advantage < 0;
  term.clipped_high = ratio > high && advantage > 0;
  term.loss = -std::min(free_gain, clipped_gain);
  // Where the clipped side is the smaller, the loss does not depend on the policy.
  if (free_gain <= clipped_gain) term.dlogprob = -free_gain;

  if (settings.beta != 0) {
    // k3 of Schulman, "Approximating KL divergence" (2020): e^d - d - 1 with d = log reference -
    // log policy.
    const double d = reference - logprob, exp_d = Exp(d);
    double kl = exp_d - d - 1, dkl = 1 - exp_d;
    if (settings.use_bias_correction_kl) {
      dkl = ratio * (dkl + kl);
      kl = ratio * kl;
    }
    term.kl = kl;
    term.loss += settings.beta * kl;
    term.dlogprob += settings.beta * dkl;
  }
  return term;
}

std::vector<double> TokenWeights(const std::string& loss_type, std::span<const int64_t> lengths_B,
                                 std::span<const uint8_t> masked_B, int64_t samples,
                                 int64_t max_completion_length) {
  const auto count = static_cast<double>(samples);
  int64_t tokens = 0;
  for (size_t i = 0; i < lengths_B.size(); ++i) tokens += masked_B[i] ? 0 : lengths_B[i];
  std::vector<double> weights(lengths_B.size(), 0.0);
  for (size_t i = 0; i < lengths_B.size(); ++i) {
    if (masked_B[i]) continue;
    if (loss_type == "grpo") {
      weights[i] = 1 / (count * static_cast<double>(std::max<int64_t>(1, lengths_B[i])));
    } else if (loss_type == "dr_grpo") {
      weights[i] = 1 / (count * static_cast<double>(max_completion_length));
    } else {
      weights[i] = 1 / static_cast<double>(std::max<int64_t>(1, tokens));
    }
  }
  return weights;
}

void SampleGradient(const LossSettings& settings, const SampleTokens& sample,
                    std::span<float> dlogprobs) {
  for (size_t t = 0; t < dlogprobs.size(); ++t) {
    dlogprobs[t] = sample.masked
                       ? 0.0f
                       : static_cast<float>(sample.weight * TermOf(settings, sample, t).dlogprob);
  }
}

void AddLossMetrics(const LossSettings& settings, std::span<const SampleTokens> samples,
                    Metrics* metrics) {
  double loss = 0, kl = 0, entropy = 0, low = 0, high = 0, tokens = 0;
  double low_min = std::numeric_limits<double>::quiet_NaN(), high_max = low_min;
  for (const SampleTokens& sample : samples) {
    if (sample.masked) continue;
    double sample_loss = 0, sample_low = 0, sample_high = 0;
    const size_t length = sample.logprobs.size();
    for (size_t t = 0; t < length; ++t) {
      const TokenTerm term = TermOf(settings, sample, t);
      sample_loss += term.loss;
      kl += term.kl;
      entropy += sample.entropies[t];
      sample_low += term.clipped_low;
      sample_high += term.clipped_high;
    }
    loss += sample.weight * sample_loss;
    low += sample_low;
    high += sample_high;
    tokens += static_cast<double>(length);
    if (length == 0) continue;
    low_min = std::fmin(low_min, sample_low / static_cast<double>(length));
    high_max = std::fmax(high_max, sample_high / static_cast<double>(length));
  }
  const double divisor = std::max(1.0, tokens);
  Metrics& out = *metrics;
  out["loss"] = loss;
  if (settings.beta != 0) out["kl"] = kl / divisor;
  out["entropy"] = entropy / divisor;
  out["clip_ratio/low_mean"] = low / divisor;
  out["clip_ratio/high_mean"] = high / divisor;
  out["clip_ratio/region_mean"] = (low + high) / divisor;
  out["clip_ratio/low_min"] = low_min;
  out["clip_ratio/high_max"] = high_max;
}

void AddCompletionMetrics(std::span<const int64_t> lengths_B, std::span<const uint8_t> truncated_B,
                          Metrics* metrics) {
  struct Lengths {
    double sum = 0, count = 0;
    int64_t least = std::numeric_limits<int64_t>::max(), most = 0;
    void Add(int64_t length) {
      sum += static_cast<double>(length);
      ++count;
      least = std::min(least, length);
      most = std::max(most, length);
    }
    double mean() const { return count > 0 ? sum / count : 0; }
    double min() const { return count > 0 ? static_cast<double>(least) : 0; }
  };
  Lengths all, terminated;
  for (size_t i = 0; i < lengths_B.size(); ++i) {
    all.Add(lengths_B[i]);
    if (!truncated_B[i]) terminated.Add(lengths_B[i]);
  }
  Metrics& out = *metrics;
  out["completions/mean_length"] = all.mean();
  out["completions/min_length"] = all.min();
  out["completions/max_length"] = static_cast<double>(all.most);
  out["completions/clipped_ratio"] = all.count > 0 ? (all.count - terminated.count) / all.count : 0;
  out["completions/mean_terminated_length"] = terminated.mean();
  out["completions/min_terminated_length"] = terminated.min();
  out["completions/max_terminated_length"] = static_cast<double>(terminated.most);
}

}  // namespace hone
