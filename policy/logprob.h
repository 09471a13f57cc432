// From a row of logits to log-probabilities: the one place, shared by sampler and learner.
#pragma once

#include <span>

namespace hone {

// log sum exp(logits / temperature): max-shifted, fixed lanes and tree (kernels/softmax.h), so the
// same bits for the sampler's rows and inside the learner's fused operator.
float LogSumExp(std::span<const float> logits_V, float temperature);

// log softmax(logits / temperature)[token].
inline float LogProb(std::span<const float> logits_V, int token, float temperature,
                     float log_sum_exp) {
  return logits_V[static_cast<size_t>(token)] / temperature - log_sum_exp;
}

}  // namespace hone
