// Where each tensor of a model lies in the flat array, by role instead of by name: for weights and
// for gradients alike.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/model/config.h"
#include "policy/model/weights.h"

namespace hone {

inline constexpr int64_t kAbsent = -1;

// In elements; kAbsent where the config asks for no such tensor. Parts of a fused tensor have an
// offset each. D hidden_size, Q q_dim, K kv_dim, F intermediate_size, V vocab_size,
// E num_experts, G expert_size.
struct ExpertOffsets {
  int64_t gate = kAbsent, up = kAbsent;  // [G, D] both
  int64_t down = kAbsent;                // [D, G]
};
struct LayerOffsets {
  int64_t attention_norm = kAbsent;                              // [D]
  int64_t q = kAbsent, k = kAbsent, v = kAbsent;                 // [Q, D], [K, D], [K, D]
  int64_t q_bias = kAbsent, k_bias = kAbsent, v_bias = kAbsent;  // [Q], [K], [K]
  int64_t q_norm = kAbsent, k_norm = kAbsent;                    // [head_dim] both
  int64_t o = kAbsent, o_bias = kAbsent;                         // [D, Q], [D]
  int64_t attention_out_norm = kAbsent;                          // [D]
  int64_t mlp_norm = kAbsent;                                    // [D]
  int64_t gate = kAbsent, up = kAbsent;                          // [F, D] both
  int64_t gate_bias = kAbsent, up_bias = kAbsent;                // [F] both
  int64_t down = kAbsent, down_bias = kAbsent;                   // [D, F], [D]
  int64_t router = kAbsent;                                      // [E, D]
  std::vector<ExpertOffsets> experts;                            // E, or none
  int64_t mlp_out_norm = kAbsent;                                // [D]
};

struct TensorOffsets {
  int64_t embed = kAbsent;  // [V, D]
  std::vector<LayerOffsets> layers;
  int64_t norm = kAbsent;  // [D]
  int64_t head = kAbsent;  // [V, D]; the embedding's when tied
};

TensorOffsets MakeOffsets(const ModelConfig& config, const WeightsLayout& layout);

}  // namespace hone
