// What a tensor is for: by its role the forward finds it, whatever its family calls it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/model/config.h"

namespace hone {

// A linear layer's weight is [out, in]. A fused one holds its parts row below row.
enum class Role {
  kEmbedding,
  kAttentionNorm,
  kQ,
  kK,
  kV,
  kQkv,  // q | k | v
  kQBias,
  kKBias,
  kVBias,
  kQNorm,
  kKNorm,
  kO,
  kOBias,
  kAttentionOutNorm,  // of what attention adds to the residual stream
  kMlpNorm,
  kGate,
  kUp,
  kGateUp,  // gate | up
  kGateBias,
  kUpBias,
  kDown,
  kDownBias,
  kMlpOutNorm,
  kRouter,
  kExpertGate,
  kExpertUp,
  kExpertDown,
  kFinalNorm,
  kHead,
};

// A tensor under the name that its family gives it.
struct NamedTensor {
  std::string name;
  Role role;
  int64_t expert = -1;  // -1: of none
};

std::vector<int64_t> ShapeOf(Role role, const ModelConfig& config);
bool IsNorm(Role role);

}  // namespace hone
