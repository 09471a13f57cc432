// What the backward of a layer works on, and how it is shared out among threads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "common/buffer.h"
#include "kernels/attention.h"
#include "kernels/exec.h"
#include "policy/model/tape.h"

namespace hone {

// What the gradients of a projection y = x wᵀ are made of, for all rows of a batch. Rows come
// from whoever has them: transposed and packed as the product by shares of w wants them.
struct ProjectionScratch {
  Buffer<float> dy_NT;     // the gradient by y, transposed; row stride GradStride()
  Buffer<float> x_panels;  // x, packed
  Buffer<float> w_panels;  // w as it lies, packed: for the gradient by x
};
// The same of a norm.
struct NormScratch {
  Buffer<float> dy_TD, inv_rms_T;  // dy: the gradient by what it gave
};
// A part of the rows, and what one thread needs for R of them at a time.
struct RowScratch {
  int64_t first = 0, count = 0;
  std::vector<kernels::AttentionSpan> spans;  // of the part, cut where it begins and ends
  std::vector<const float*> gate_up_R;
  Buffer<float> d_act_RF, d_gate_up_R2F, normed_RD, d_branch_RD;
};
struct BackwardScratch {
  std::vector<RowScratch> rows;  // of each part
  LayerTape known[2];            // of two layers that follow each other: the even and the odd one
  Buffer<float> d_x_TD;
  ProjectionScratch qkv, o, gate_up, down;
  NormScratch attention_norm, attention_out_norm, mlp_norm, mlp_out_norm;
  Buffer<float> d_attention_TQ, d_qkv_TC;
  Buffer<float> grad_k[2], grad_v[2];  // of the pages of an even and an odd layer
  Buffer<float> d_qk_TB, inv_rms_TH;   // of q | k behind their norms; with norms of heads only
};

// Rows of a batch on their way back through the layers: all of them on all threads, or some on
// one.
struct RowsPart {
  kernels::Exec exec;
  int64_t first, rows;
  RowScratch& scratch;
};
// A share of every gradient of weights: all of it on all threads, or its own on one.
struct WeightShare {
  kernels::Exec exec;
  int64_t index, count;
  struct Range {
    int64_t begin, end;
  };
  Range Of(int64_t n) const { return {n * index / count, n * (index + 1) / count}; }
};
// Rows of the flat weights: a projection's w may be in several pieces, one below the other.
struct Piece {
  int64_t offset, rows;
};
using Pieces = std::initializer_list<Piece>;

}  // namespace hone
