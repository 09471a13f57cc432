#include "policy/files/gguf_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "common/error.h"

namespace hone {
namespace {

// Of rotary scaling, llama.cpp stretches by one factor or as YaRN for every architecture; factors
// of each frequency it has for "llama" and "phi3".
constexpr RopeType kLlamaScaling[] = {RopeType::kLinear, RopeType::kYarn, RopeType::kLlama3,
                                      RopeType::kLongRope},
                   kPhi3Scaling[] = {RopeType::kLongRope},
                   kQwenScaling[] = {RopeType::kLinear, RopeType::kYarn},
                   kGemmaScaling[] = {RopeType::kLinear};

constexpr int64_t kMostExperts = 1024;  // LLAMA_MAX_EXPERTS
constexpr double kContextStep = 256;    // tokens; llama.cpp rounds a context up to multiples of it

constexpr GgufFamily kFamilies[] = {
    {.architecture = "LlamaForCausalLM",
     .name = "llama",
     .scaling = kLlamaScaling,
     .interleaved_rope = true,
     .qkv_bias = true,
     .o_bias = true,
     .mlp_bias = true},
    {.architecture = "MistralForCausalLM",
     .name = "llama",
     .scaling = kLlamaScaling,
     .interleaved_rope = true},
    {.architecture = "Qwen2ForCausalLM",
     .name = "qwen2",
     .scaling = kQwenScaling,
     .square_attention = true,
     .qkv_bias = true},
    {.architecture = "Qwen3ForCausalLM", .name = "qwen3", .scaling = kQwenScaling},
    {.architecture = "Qwen3MoeForCausalLM",
     .name = "qwen3moe",
     .scaling = kQwenScaling,
     .experts = true},
    {.architecture = "Phi3ForCausalLM",
     .name = "phi3",
     .scaling = kPhi3Scaling,
     .partial_rope = true,
     .square_attention = true},
    {.architecture = "Gemma2ForCausalLM",
     .name = "gemma2",
     .scaling = kGemmaScaling,
     .untied = false,
     .activation = kernels::Gate::kGeluTanh,
     .scaled_embedding = true,
     .window_period = 2,
     .attention_softcap = true,
     .logit_softcap = true,
     .hidden_scale_layers = 46},
    {.architecture = "Gemma3ForCausalLM",
     .name = "gemma3",
     .scaling = kGemmaScaling,
     .untied = false,
     .activation = kernels::Gate::kGeluTanh,
     .scaled_embedding = true,
     .window_period = 6,
     .local_rope = true,
     .hidden_scale_layers = 62},
};

const GgufFamily& Find(const std::string& architecture) {
  for (const GgufFamily& family : kFamilies) {
    if (family.architecture == architecture) return family;
  }
  throw UsageError(fmt::format(
      "--format gguf: {} is not written as GGUF; export it as hf and convert that", architecture));
}

[[noreturn]] void Fail(const GgufFamily& family, std::string_view key, const std::string& why) {
  throw UsageError(
      fmt::format("--format gguf: config.json: {}: {}, which is not in llama.cpp's \"{}\"; export "
                  "the policy as hf",
                  key, why, family.name));
}

bool Near(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::fabs(b); }

const char* NameOf(RopeType type) {
  switch (type) {
    case RopeType::kDefault:
      return "default";
    case RopeType::kLinear:
      return "linear";
    case RopeType::kDynamic:
      return "dynamic";
    case RopeType::kYarn:
      return "yarn";
    case RopeType::kLlama3:
      return "llama3";
    case RopeType::kLongRope:
      return "longrope";
  }
  return "unknown";
}

// The attention factor is one number more for YaRN, and follows from the others elsewhere.
void CheckScaling(const GgufFamily& family, const RopeScaling& scaling) {
  // Every setting: one that is added does not compile before it has its place here.
  const auto& [type, factor, original_positions, low_freq_factor, high_freq_factor, beta_fast,
               beta_slow, truncate, short_factor, long_factor, long_positions, takes_long_factors,
               attention_factor] = scaling;
  const auto& known = family.scaling;
  if (type != RopeType::kDefault && std::find(known.begin(), known.end(), type) == known.end())
    Fail(family, "rope_type", fmt::format("rotary scaling of type \"{}\"", NameOf(type)));
  if (type == RopeType::kYarn) {  // GGUF has keys for the ramp, which few architectures read
    if (beta_fast != 32) Fail(family, "beta_fast", fmt::format("{}, where 32 is meant", beta_fast));
    if (beta_slow != 1) Fail(family, "beta_slow", fmt::format("{}, where 1 is meant", beta_slow));
    if (!truncate) Fail(family, "truncate", "a ramp of YaRN that ends between dimensions");
  }
  if (type == RopeType::kLongRope && !takes_long_factors &&
      std::fmod(original_positions, kContextStep) != 0) {
    Fail(family, "original_max_position_embeddings",
         fmt::format("{}, where contexts are multiples of {} and a longer one takes the long "
                     "factors",
                     original_positions, kContextStep));
  }
  if (type != RopeType::kYarn && type != RopeType::kLongRope && attention_factor != 1)
    Fail(family, "attention_factor",
         fmt::format("a factor of {} of cos and sin", attention_factor));
}

// Of a family whose architecture has windows; GgufContextLength sees to the others.
void CheckWindows(const GgufFamily& family, const ModelConfig& config) {
  if (family.window_period == 0) return;
  int32_t shared = 0;
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    const int32_t window = config.window(layer);
    const bool slides = layer % family.window_period < family.window_period - 1;
    if (slides != (window > 0)) {
      Fail(family, config.windows.empty() ? "sliding_window" : "layer_types",
           fmt::format("layer {} {} a window", layer, slides ? "without" : "with"));
    }
    if (window > 0 && shared > 0 && window != shared)
      Fail(family, "sliding_window", fmt::format("windows of {} and {}", shared, window));
    shared = std::max(shared, window);
  }
}

void CheckExperts(const GgufFamily& family, const ModelConfig& config) {
  if (!family.experts) {
    if (!config.sparse.empty())
      Fail(family, "num_experts", fmt::format("{} experts", config.num_experts));
    return;
  }
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    if (!config.has_experts(layer))
      Fail(family, "mlp_only_layers", fmt::format("layer {} without experts", layer));
  }
  if (config.num_experts < 2 || config.num_experts > kMostExperts) {
    Fail(family, "num_experts",
         fmt::format("{}, where 2 to {} are meant", config.num_experts, kMostExperts));
  }
  if (!config.norm_topk_prob) Fail(family, "norm_topk_prob", "false");
}

void CheckCap(const GgufFamily& family, const char* key, bool wanted, double cap) {
  if (wanted == (cap > 0)) return;
  Fail(family, key, wanted ? std::string("no soft cap") : fmt::format("a soft cap of {}", cap));
}

double ImpliedScale(const GgufFamily& family, const ModelConfig& config) {
  const int64_t width = config.num_layers == family.hidden_scale_layers
                            ? config.hidden_size / config.num_heads
                            : config.head_dim;
  return 1 / std::sqrt(static_cast<double>(width));
}

void CheckSettings(const GgufFamily& family, const ModelConfig& config) {
  // Every setting: one that is added does not compile before it is written to the file
  // (MakeGgufMetadata, MakeGgufTensors) or has its check here.
  const auto& [architecture, vocab_size, hidden_size, intermediate_size, num_layers, num_heads,
               num_kv_heads, head_dim, max_position_embeddings, positions_key, embedding_scale,
               rms_norm_eps, norm_offset, post_norms, qk_norm, rope_theta, rope_scaling, rotary_dim,
               local_rope_theta, windows, attention_scale, attention_softcap, logit_softcap,
               activation, qkv_bias, o_bias, mlp_bias, sparse, num_experts, experts_per_token,
               expert_size, norm_topk_prob, tie_word_embeddings, initializer_range] = config;
  if (family.square_attention && config.q_dim() != hidden_size) {
    Fail(family, "head_dim",
         fmt::format("{} heads of {} with a hidden_size of {}", num_heads, head_dim, hidden_size));
  }
  if (activation != family.activation) {
    Fail(family, "hidden_act",
         activation == kernels::Gate::kSilu ? std::string("SiLU") : std::string("GELU"));
  }
  const double scale = family.scaled_embedding ? std::sqrt(static_cast<double>(hidden_size)) : 1.0;
  if (!Near(embedding_scale, scale))
    Fail(family, "embedding_scale", fmt::format("{}", embedding_scale));
  if (config.turned_dim() != head_dim && !family.partial_rope) {
    Fail(family, "partial_rotary_factor",
         fmt::format("rotary embedding of {} dimensions of {}", config.turned_dim(), head_dim));
  }
  CheckScaling(family, rope_scaling);
  if ((local_rope_theta > 0) != family.local_rope)
    Fail(family, "rope_local_base_freq", fmt::format("{}", local_rope_theta));
  CheckWindows(family, config);
  const double implied = ImpliedScale(family, config);
  if (attention_scale != 0 ? !Near(attention_scale, implied)
                           : num_layers == family.hidden_scale_layers) {
    Fail(family, "query_pre_attn_scalar",
         fmt::format("{:.6g}, where {:.6g} is meant", 1 / (attention_scale * attention_scale),
                     1 / (implied * implied)));
  }
  CheckCap(family, "attn_logit_softcapping", family.attention_softcap, attention_softcap);
  CheckCap(family, "final_logit_softcapping", family.logit_softcap, logit_softcap);
  if ((qkv_bias && !family.qkv_bias) || (o_bias && !family.o_bias))
    Fail(family, "attention_bias", "biases of attention");
  if (mlp_bias && !family.mlp_bias) Fail(family, "mlp_bias", "biases of the feed-forward");
  CheckExperts(family, config);
  if (!tie_word_embeddings && !family.untied)
    Fail(family, "tie_word_embeddings", "a head that is not the embedding");
}

// llama.cpp's name of a tensor, the same for all architectures that have it.
std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kEmbedding:
      return "token_embd.weight";
    case Role::kFinalNorm:
      return "output_norm.weight";
    case Role::kHead:
      return "output.weight";
    case Role::kAttentionNorm:
      return "attn_norm.weight";
    case Role::kQ:
      return "attn_q.weight";
    case Role::kK:
      return "attn_k.weight";
    case Role::kV:
      return "attn_v.weight";
    case Role::kQkv:
      return "attn_qkv.weight";
    case Role::kQBias:
      return "attn_q.bias";
    case Role::kKBias:
      return "attn_k.bias";
    case Role::kVBias:
      return "attn_v.bias";
    case Role::kQNorm:
      return "attn_q_norm.weight";
    case Role::kKNorm:
      return "attn_k_norm.weight";
    case Role::kO:
      return "attn_output.weight";
    case Role::kOBias:
      return "attn_output.bias";
    case Role::kAttentionOutNorm:
      return "post_attention_norm.weight";
    case Role::kMlpNorm:
      return "ffn_norm.weight";
    case Role::kGate:
      return "ffn_gate.weight";
    case Role::kUp:
    case Role::kGateUp:  // gate over up, where there is no "ffn_gate"
      return "ffn_up.weight";
    case Role::kGateBias:
      return "ffn_gate.bias";
    case Role::kUpBias:
      return "ffn_up.bias";
    case Role::kDown:
      return "ffn_down.weight";
    case Role::kDownBias:
      return "ffn_down.bias";
    case Role::kMlpOutNorm:
      return "post_ffw_norm.weight";
    case Role::kRouter:
      return "ffn_gate_inp.weight";
    case Role::kExpertGate:
      return "ffn_gate_exps.weight";
    case Role::kExpertUp:
      return "ffn_up_exps.weight";
    case Role::kExpertDown:
      return "ffn_down_exps.weight";
  }
  throw UsageError("a tensor of an unknown role");
}

}  // namespace

const GgufFamily& GgufFamilyOf(const ModelConfig& config) {
  const GgufFamily& family = Find(config.architecture);
  CheckSettings(family, config);
  return family;
}

int64_t GgufContextLength(const GgufFamily& family, const ModelConfig& config) {
  int64_t length = config.max_position_embeddings;
  if (family.window_period > 0) return length;
  for (const int32_t window : config.windows) {
    if (window > 0) length = std::min<int64_t>(length, window);
  }
  return length;
}

std::string GgufTensorName(const TensorSpec& spec) {
  return spec.layer < 0 ? std::string(NameOf(spec.role))
                        : fmt::format("blk.{}.{}", spec.layer, NameOf(spec.role));
}

}  // namespace hone
