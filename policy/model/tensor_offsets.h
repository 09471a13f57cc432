// Where each tensor of a model lies in the flat array, by role instead of by name: for weights and
// for gradients alike.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/model/config.h"
#include "policy/model/weights.h"

namespace hone {

// In elements. D hidden_size, Q q_dim, K kv_dim, F intermediate_size, V vocab_size.
struct LayerOffsets {
  int64_t input_norm = 0;                      // [D]
  int64_t q = 0, k = 0, v = 0;                 // [Q, D], [K, D], [K, D]
  int64_t q_bias = 0, k_bias = 0, v_bias = 0;  // [Q], [K], [K]; with qkv_bias only
  int64_t o = 0;                               // [D, Q]
  int64_t post_norm = 0;                       // [D]
  int64_t gate = 0, up = 0;                    // [F, D] both
  int64_t down = 0;                            // [D, F]
};

struct TensorOffsets {
  int64_t embed = 0;  // [V, D]
  std::vector<LayerOffsets> layers;
  int64_t norm = 0;  // [D]
  int64_t head = 0;  // [V, D]; the embedding's when tied
};

TensorOffsets MakeOffsets(const ModelConfig& config, const WeightsLayout& layout);

}  // namespace hone
