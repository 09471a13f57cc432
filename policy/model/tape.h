// What a forward keeps of a layer for its backward. Norms and the activation are not here:
// recomputing them gives the same bits for little work, and halves the memory. Keys and values stay
// in the cache.
#pragma once

#include <cstddef>

#include "common/buffer.h"

namespace hone {

// T rows; D hidden_size, Q q_dim, C q_dim + 2 kv_dim, F intermediate_size, H num_heads.
struct LayerTape {
  Buffer<float> x_TD;          // residual stream that enters the layer
  Buffer<float> qkv_TC;        // q (rotated) | k | v
  Buffer<float> attention_TQ;  // before o_proj
  Buffer<float> stats_TH2;     // maximum and sum of each softmax
  Buffer<float> mid_TD;        // residual stream after attention
  Buffer<float> gate_up_T2F;   // before SwiGLU

  size_t floats() const {
    return x_TD.size() + qkv_TC.size() + attention_TQ.size() + stats_TH2.size() + mid_TD.size() +
           gate_up_T2F.size();
  }
};

}  // namespace hone
