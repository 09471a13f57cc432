#include "policy/model/tensor_role.h"

namespace hone {

std::vector<int64_t> ShapeOf(Role role, const ModelConfig& config) {
  const int64_t d = config.hidden_size, q = config.q_dim(), kv = config.kv_dim(),
                f = config.intermediate_size;
  switch (role) {
    case Role::kEmbedding:
    case Role::kHead:
      return {config.vocab_size, d};
    case Role::kQ:
      return {q, d};
    case Role::kK:
    case Role::kV:
      return {kv, d};
    case Role::kQkv:
      return {q + 2 * kv, d};
    case Role::kQBias:
      return {q};
    case Role::kKBias:
    case Role::kVBias:
      return {kv};
    case Role::kQNorm:
    case Role::kKNorm:
      return {config.head_dim};
    case Role::kO:
      return {d, q};
    case Role::kGate:
    case Role::kUp:
      return {f, d};
    case Role::kGateUp:
      return {2 * f, d};
    case Role::kGateBias:
    case Role::kUpBias:
      return {f};
    case Role::kDown:
      return {d, f};
    case Role::kRouter:
      return {config.num_experts, d};
    case Role::kExpertGate:
    case Role::kExpertUp:
      return {config.expert_size, d};
    case Role::kExpertDown:
      return {d, config.expert_size};
    case Role::kOBias:
    case Role::kDownBias:
    case Role::kAttentionNorm:
    case Role::kAttentionOutNorm:
    case Role::kMlpNorm:
    case Role::kMlpOutNorm:
    case Role::kFinalNorm:
      return {d};
  }
  return {};
}

bool IsNorm(Role role) {
  switch (role) {
    case Role::kAttentionNorm:
    case Role::kQNorm:
    case Role::kKNorm:
    case Role::kAttentionOutNorm:
    case Role::kMlpNorm:
    case Role::kMlpOutNorm:
    case Role::kFinalNorm:
      return true;
    default:
      return false;
  }
}

}  // namespace hone
