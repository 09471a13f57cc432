// One token from one row of logits. The draw is addressed (philox.h), so it depends on the row and
// the address alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/buffer.h"
#include "common/philox.h"
#include "kernels/exec.h"
#include "kernels/softmax.h"

namespace hone {

// vLLM's names and meanings. The order of operations is vLLM's: repetition penalty, temperature,
// min-p, top-k, top-p.
struct SamplingParams {
  bool greedy = false;              // the largest logit, the smallest id among equals
  float temperature = 1.0f;         // > 0
  float top_p = 1.0f;               // (0, 1]; 1 is off
  int32_t top_k = 0;                // 0 is off
  float min_p = 0.0f;               // [0, 1); 0 is off
  float repetition_penalty = 1.0f;  // > 0; 1 is off
};

// Throws UsageError naming the parameter that is out of its range.
void CheckSampling(const SamplingParams& params);

struct Draw {
  int32_t token = 0;
  // log softmax(logits / temperature)[token] over the whole vocabulary, before any truncation or
  // penalty (temperature 1 when greedy): the number the learner will compute for it.
  float logprob = 0;
  // Of the distribution that logprob is of, in nats: the learner's number too.
  float entropy = 0;
};

// Holds scratch memory. Thread contract: one thread at a time.
class Sampler {
 public:
  explicit Sampler(kernels::Isa isa) : isa_(isa) {}

  // `seen` are the tokens so far (prompt and completion), for the repetition penalty. `address` has
  // purpose kSampleToken. Throws RunError when the logits hold no number to draw by (NaN, +inf).
  Draw Sample(std::span<const float> logits_V, const SamplingParams& params,
              std::span<const int32_t> seen, uint64_t seed, const Address& address);

 private:
  struct Candidate {
    float probability;
    int32_t token;
  };

  std::span<const float> Penalize(std::span<const float> logits_V, float penalty,
                                  std::span<const int32_t> seen);
  kernels::LogitRow Measure(std::span<const float> logits_V, float temperature);
  int32_t DrawWhole(std::span<const float> logits_V, float temperature, float max, double uniform);
  int32_t DrawTruncated(std::span<const float> logits_V, const SamplingParams& params,
                        float log_sum_exp, double uniform);
  void Truncate(const SamplingParams& params);
  void GatherCandidates(float least);
  void KeepTopK(int32_t k);
  void KeepTopP(float p, double total);
  void SumBlocks();

  kernels::Isa isa_;
  Buffer<float> penalized_V_;
  std::vector<uint64_t> seen_at_V_;  // the call that last saw a token: each is penalised once
  uint64_t calls_ = 0;
  Buffer<float> probabilities_V_;  // what is cut off is 0
  std::vector<float> block_sums_;
  std::vector<Candidate> candidates_;
};

}  // namespace hone
