// What the head of the exact backend (exact_head.cpp) works on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/buffer.h"
#include "policy/model/config.h"

namespace hone {

// What the head computes of R rows of the residual stream.
struct HeadRows {
  float *x_RD, *inv_rms_R, *normed_RD, *logits_RV;
};
struct HeadBuffers {
  Buffer<float> x_RD, inv_rms_R, normed_RD, logits_RV;
  void Reserve(size_t rows, const ModelConfig& config);
  HeadRows From(size_t row, const ModelConfig& config);  // of the rows from this one on
};

// The head on some rows at a time, R at most kHeadRows.
struct HeadScratch {
  HeadBuffers rows;
  Buffer<float> log_sum_exp_R, entropy_R, dlogprob_R, dentropy_R, d_normed_RD, d_x_RD;
  Buffer<float> capped_RV;  // logits after their soft cap
  std::vector<int32_t> rows_R, tokens_R;
};

// The gradients that one Backward works on.
struct HeadGradient {
  std::span<const float> dlogprobs, dentropies;  // of all targets; dentropies may be empty
  float* grads = nullptr;
  bool inputs = false;   // computes d_x_TD and the final norm's gradient
  bool weights = false;  // computes the head's gradient
};

}  // namespace hone
