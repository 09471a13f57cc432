#include "policy/model/rope_frequencies.h"

#include <algorithm>
#include <cmath>

#include "common/deterministic_math.h"

namespace hone {
namespace {

constexpr double kTwoPi = 0x1.921fb54442d18p+2;

// Llama 3.1: frequencies of long waves are divided, those of short waves stay, between them it
// goes smoothly.
double Llama3(double frequency, const RopeScaling& scaling) {
  const double turns = scaling.original_positions * frequency / kTwoPi;  // in the original length
  if (turns < scaling.low_freq_factor) return frequency / scaling.factor;
  if (turns > scaling.high_freq_factor) return frequency;
  const double smooth =
      (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - smooth) * frequency / scaling.factor + smooth * frequency;
}

// Where the ramp of YaRN between stretched and plain frequencies begins and ends. Peng et al.,
// arXiv:2309.00071, 3.2.
struct Ramp {
  double low, high;
  // How much of the stretched frequency is taken.
  double At(double i) const {
    return std::clamp((i - low) / (high == low ? 0.001 : high - low), 0.0, 1.0);
  }
};

Ramp YarnRamp(double theta, int64_t dims, const RopeScaling& scaling) {
  const auto dimension = [&](double turns) {  // that turns so often in the original length
    return static_cast<double>(dims) * Log2(scaling.original_positions / (turns * kTwoPi)) /
           (2 * Log2(theta));
  };
  double low = dimension(scaling.beta_fast), high = dimension(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  return {std::max(low, 0.0), std::min(high, static_cast<double>(dims - 1))};
}

}  // namespace

std::vector<double> InverseFrequenciesInDouble(double theta, int64_t dims,
                                               const RopeScaling& scaling) {
  const Ramp ramp = scaling.type == RopeType::kYarn ? YarnRamp(theta, dims, scaling) : Ramp{0, 0};
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dims / 2; ++i) {
    double frequency = 1 / Pow(theta, static_cast<double>(2 * i) / static_cast<double>(dims));
    switch (scaling.type) {
      case RopeType::kDefault:
      case RopeType::kDynamic:  // the same up to max_position_embeddings, where sequences end
        break;
      case RopeType::kLinear:
        frequency /= scaling.factor;
        break;
      case RopeType::kLlama3:
        frequency = Llama3(frequency, scaling);
        break;
      case RopeType::kYarn: {
        const double stretched = ramp.At(static_cast<double>(i));
        frequency = frequency / scaling.factor * stretched + frequency * (1 - stretched);
        break;
      }
      case RopeType::kLongRope:
        frequency /= (scaling.takes_long_factors ? scaling.long_factor
                                                 : scaling.short_factor)[static_cast<size_t>(i)];
        break;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

std::vector<float> InverseFrequencies(double theta, int64_t dims, const RopeScaling& scaling) {
  const std::vector<double> frequencies = InverseFrequenciesInDouble(theta, dims, scaling);
  return {frequencies.begin(), frequencies.end()};
}

}  // namespace hone
