// The architectures of llama.cpp that policies are written for, and what each of them computes.
#pragma once

#include <span>
#include <string>

#include "kernels/gated.h"
#include "policy/model/config.h"
#include "policy/model/weights.h"

namespace hone {

// What llama.cpp does for an architecture whatever the file says, and what a file may choose.
struct GgufFamily {
  const char* architecture;           // config.json's
  const char* name;                   // general.architecture, and the prefix of its keys
  std::span<const RopeType> scaling;  // of rotary embedding, beside none
  bool interleaved_rope = false;      // rows of q and k are permuted for llama.cpp's rotation
  bool partial_rope = false;          // a part of a head may turn
  bool square_attention = false;      // heads * head_dim must be the hidden size
  bool qkv_bias = false, o_bias = false, mlp_bias = false;  // may be there
  bool untied = true;                                       // a head of its own may be there
  kernels::Gate activation = kernels::Gate::kSilu;
  bool scaled_embedding = false;  // by the root of the hidden size
  // Of so many layers the last sees all and the others have a window; 0: there are no windows.
  int64_t window_period = 0;
  bool local_rope = false;  // layers with a window have a theta of their own
  bool attention_softcap = false, logit_softcap = false;  // always there, and no others'
  bool experts = false;  // in every layer, their weights made to sum to 1
  // A model of so many layers scales scores by its hidden size over its heads, not by head_dim.
  int64_t hidden_scale_layers = 0;
};

// The family that writes this config, every setting of which the file will carry or the
// architecture implies. Throws UsageError naming what neither does.
const GgufFamily& GgufFamilyOf(const ModelConfig& config);

// The positions that a file says a model has. Where the config has windows and the architecture
// none, the shortest window: up to there both compute the same.
int64_t GgufContextLength(const GgufFamily& family, const ModelConfig& config);

// "blk.0.attn_q.weight". The experts of a layer are one tensor.
std::string GgufTensorName(const TensorSpec& spec);

}  // namespace hone
