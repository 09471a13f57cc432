// What a policy computes: the plain description that the one forward works from. A family
// (policy/families/) makes it of Hugging Face's config.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/gated.h"

namespace hone {

// How rotary embedding is stretched over more positions than a model was first trained on, by
// transformers' names. docs/families.md says what each does to the frequencies.
enum class RopeType { kDefault, kLinear, kDynamic, kYarn, kLlama3, kLongRope };
struct RopeScaling {
  RopeType type = RopeType::kDefault;
  double factor = 1;
  double original_positions = 0;                     // of yarn, llama3 and longrope
  double low_freq_factor = 1, high_freq_factor = 4;  // of llama3
  double beta_fast = 32, beta_slow = 1;              // of yarn, as `truncate`
  bool truncate = true;
  // Of longrope, one a frequency. The short ones hold for sequences of up to original_positions,
  // the long ones for every position of a policy that may have more (model/context_length.h).
  std::vector<double> short_factor = {}, long_factor = {};
  int64_t long_positions = 0;  // that a sequence may have with the long ones; 0: no more than short
  bool takes_long_factors = false;
  double attention_factor = 1;  // multiplies cos and sin
};

struct ModelConfig {
  std::string architecture;  // names the family, and with it the tensors: "LlamaForCausalLM", …
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;                    // positions that a sequence may have
  const char* positions_key = "max_position_embeddings";  // what of config.json sets that number

  double embedding_scale = 1;  // of what the embedding gives; rounded to the type computed in
  double rms_norm_eps = 1e-6;
  double norm_offset = 0;   // added to the weight of every norm: Gemma's is 1
  bool post_norms = false;  // norms of what attention and feed-forward add to the residual stream
  bool qk_norm = false;     // a norm of each head of queries and keys, before they turn

  double rope_theta = 10000;
  RopeScaling rope_scaling;
  int64_t rotary_dim = 0;       // the first dimensions of a head, which turn; 0: all
  double local_rope_theta = 0;  // of layers with a window, not scaled; 0: as the other layers

  std::vector<int32_t> windows;  // of each layer, as AttentionShape::window; empty: none
  double attention_scale = 0;    // of scores; 0: 1 / sqrt(head_dim)
  double attention_softcap = 0;  // 0: none
  double logit_softcap = 0;      // 0: none

  kernels::Gate activation = kernels::Gate::kSilu;
  bool qkv_bias = false, o_bias = false;
  bool mlp_bias = false;  // of gate, up and down
  // Layers whose feed-forward is a choice of experts, each of them a feed-forward of expert_size
  // without biases. Not with post_norms or mlp_bias.
  std::vector<uint8_t> sparse;  // 1 for such a layer; empty: none
  int64_t num_experts = 0, experts_per_token = 0, expert_size = 0;
  bool norm_topk_prob = false;  // the chosen experts' weights are made to sum to 1
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;

  int64_t q_dim() const { return num_heads * head_dim; }
  int64_t kv_dim() const { return num_kv_heads * head_dim; }
  int64_t turned_dim() const { return rotary_dim == 0 ? head_dim : rotary_dim; }
  int32_t window(int64_t layer) const { return windows.empty() ? 0 : windows[layer]; }
  bool has_experts(int64_t layer) const { return !sparse.empty() && sparse[layer] != 0; }
  bool local_rope(int64_t layer) const { return local_rope_theta > 0 && window(layer) > 0; }
};

}  // namespace hone
