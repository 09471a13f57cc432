// What a forward keeps of a layer for its backward. Norms and the activation are not here:
// recomputing them gives the same bits for little work, and halves the memory. Keys and values stay
// in the cache.
#pragma once

#include <cstddef>

#include "common/buffer.h"

namespace hone {

// T rows; D hidden_size, Q q_dim, B q_dim + kv_dim, C q_dim + 2 kv_dim, F intermediate_size, H
// num_heads.
struct LayerTape {
  Buffer<float> x_TD;          // residual stream that enters the layer
  Buffer<float> qk_TB;         // q | k before their norms; with norms of heads only
  Buffer<float> qkv_TC;        // q (rotated) | k | v
  Buffer<float> attention_TQ;  // before o_proj
  Buffer<float> stats_TH2;     // maximum and sum of each softmax
  Buffer<float> mid_TD;        // residual stream after attention
  Buffer<float> gate_up_T2F;   // before the activation; with experts, of each that a row chose
  // What attention and feed-forward give before their norms; with such norms only.
  Buffer<float> attention_out_TD, mlp_out_TD;

  size_t floats() const {
    size_t sum = 0;
    for (const auto* part : {&x_TD, &qk_TB, &qkv_TC, &attention_TQ, &stats_TH2, &mid_TD,
                             &gate_up_T2F, &attention_out_TD, &mlp_out_TD}) {
      sum += part->size();
    }
    return sum;
  }
};

}  // namespace hone
