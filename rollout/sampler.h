// One token from one row of logits. The draw is addressed (philox.h), so it depends on the row and the
// address alone.
#pragma once

#include <cstdint>
#include <span>

#include "common/philox.h"
#include "kernels/exec.h"

namespace hone {

// vLLM's names and meanings. The order of operations is vLLM's: repetition penalty, temperature, min-p,
// top-k, top-p.
struct SamplingParams {
  bool greedy = false;             // the largest logit, the smallest id among equals
  float temperature = 1.0f;        // > 0
  float top_p = 1.0f;              // (0, 1]; 1 is off
  int32_t top_k = 0;               // 0 is off
  float min_p = 0.0f;              // [0, 1); 0 is off
  float repetition_penalty = 1.0f; // > 0; 1 is off
};

struct Draw {
  int32_t token = 0;
  // log softmax(logits / temperature)[token] over the whole vocabulary, before any truncation or penalty
  // (temperature 1 when greedy): the number the learner will compute for it.
  float logprob = 0;
};

// `logits_V` may be changed. `seen` are the tokens so far (prompt and completion), for the repetition
// penalty. `address` has purpose kSampleToken.
class Sampler {
 public:
  explicit Sampler(kernels::Isa isa) : isa_(isa) {}
  Draw Sample(std::span<float> logits_V, const SamplingParams& params, std::span<const int32_t> seen,
              uint64_t seed, const Address& address);

 private:
  kernels::Isa isa_;
};

}  // namespace hone
