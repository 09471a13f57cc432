// The shape of a policy: what Hugging Face's config.json says of a Llama or Qwen2 model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM" or "Qwen2ForCausalLM"
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  bool qkv_bias = false;
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;

  int64_t q_dim() const { return num_heads * head_dim; }
  int64_t kv_dim() const { return num_kv_heads * head_dim; }
};

}  // namespace hone
