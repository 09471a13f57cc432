// Over rows of logits: log-sum-exp, entropy, and the gradient of both. 16 virtual lanes, fixed
// tree.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// Our own exp: within 1 ulp of the exact value (subnormal results included), 0 below -104, infinite
// from 88.73; a NaN stays one. The same bits on every ISA.
float Exp(float x);
// Our own natural logarithm, within 1 ulp for positive x, subnormal ones too; Log(0) = -inf.
float Log(float x);
// Our own tanh, within 3 ulp; a NaN stays one. The same bits on every ISA.
float Tanh(float x);

// With z = logits / temperature (one division an element): log_sum_exp[r] = log sum exp z[r];
// entropy[r] = -sum p log p, p = softmax(z), in nats. `entropy` may be null. logits [rows, v], row
// stride ld.
void LogSumExpRows(const Exec& exec, const float* logits, int64_t ld, int64_t rows, int64_t v,
                   float temperature, float* log_sum_exp_R, float* entropy_R);

// For one row on one thread: the sampler's. The bits of LogSumExpRows, and in the same pass what a
// draw needs: the sums of exp(z - max) over blocks of kLogitBlock elements.
inline constexpr int64_t kLogitBlock = 256;
struct LogitRow {
  float max;  // of z
  float log_sum_exp, entropy;
};
LogitRow LogSumExpRow(Isa isa, const float* logits_V, int64_t v, float temperature,
                      float* block_sums);

// Overwrites each row of logits with the gradient by it of
//   dlogprob[r] * log softmax(z)[target[r]] + dentropy[r] * entropy[r];  dentropy may be null.
void LogProbGradRows(const Exec& exec, float* logits, int64_t ld, int64_t rows, int64_t v,
                     float temperature, const int32_t* targets_R, const float* log_sum_exp_R,
                     const float* entropy_R, const float* dlogprob_R, const float* dentropy_R);

// weights[v] = exp(z - shift), one thread: probabilities where `shift` is the log-sum-exp.
void ExpRow(Isa isa, const float* logits_V, int64_t v, float temperature, float shift,
            float* weights_V);

namespace reference {
void LogSumExpRows(const float* logits, int64_t ld, int64_t rows, int64_t v, float temperature,
                   float* log_sum_exp_R, float* entropy_R);
void LogProbGradRows(float* logits, int64_t ld, int64_t rows, int64_t v, float temperature,
                     const int32_t* targets_R, const float* log_sum_exp_R, const float* entropy_R,
                     const float* dlogprob_R, const float* dentropy_R);
}  // namespace reference
}  // namespace hone::kernels
