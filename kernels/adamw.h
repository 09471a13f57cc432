// AdamW in one pass. Loshchilov and Hutter, arXiv:1711.05101, algorithm 2, in torch.optim.AdamW's
// order of operations.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// Hyperparameters are double, as in torch: 1 - beta2 taken of a float 0.999 is wrong by 5e-5.
struct AdamWStep {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  double bias_correction1 = 1, bias_correction2 = 1;  // 1 - beta^step
  float grad_scale = 1;                               // the clip's factor
};

// n elements; w_out may be w or grad. m and v are updated in place.
void AdamW(const Exec& exec, const AdamWStep& step, const float* w, const float* grad, float* m,
           float* v, int64_t n, float* w_out);

// Sum of squares, in double: blocks of 4096 elements, 16 lanes and a tree within a block, blocks
// added in order. The same bits for any threads and ISA.
double SumOfSquares(const Exec& exec, const float* x, int64_t n);

namespace reference {
void AdamW(const AdamWStep& step, const float* w, const float* grad, float* m, float* v, int64_t n,
           float* w_out);
double SumOfSquares(const float* x, int64_t n);
}  // namespace reference
}  // namespace hone::kernels
