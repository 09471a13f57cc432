// What a layer with experts (exact_experts.cpp) works on.
#pragma once

#include <cstdint>
#include <vector>

#include "common/buffer.h"

namespace hone {

// Of a layer with experts: T rows have K experts each, at places row * K + i; N of them, at most
// T, are of the expert at hand. E num_experts, G expert_size.
struct ExpertScratch {
  Buffer<float> logits_TE, weights_TK, d_weights_TK, d_logits_TE;
  std::vector<int32_t> experts_TK;  // of each place
  std::vector<int32_t> places_TK;   // expert by expert, from begin_E[expert] on, in order
  std::vector<int32_t> begin_E, next_E;
  Buffer<float> in_ND, out_ND, gate_up_N2G, d_gate_up_N2G, act_NG, d_act_NG;
  Buffer<float> normed_TD, d_normed_TD, inv_rms_T;
  std::vector<const float*> gate_up_N;
};

}  // namespace hone
