#include "policy/logprob.h"

#include "kernels/softmax.h"

namespace hone {

float LogSumExp(std::span<const float> logits_V, float temperature) {
  static const kernels::Isa isa = kernels::DetectIsa();  // changes the speed, not the bits
  return kernels::LogSumExpRow(isa, logits_V.data(), static_cast<int64_t>(logits_V.size()),
                               temperature, nullptr)
      .log_sum_exp;
}

}  // namespace hone
