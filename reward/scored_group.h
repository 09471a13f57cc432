// A group with its rewards.
#pragma once

#include <string>
#include <vector>

#include "reward/verify.h"
#include "rollout/group.h"

namespace hone {

// A sample that a verifier could not judge.
struct VerifierError {
  uint32_t verifier = 0, sample = 0;  // indices in the group
  ErrorCause cause = ErrorCause::kUndecided;
  std::string reason;
  bool operator==(const VerifierError&) const = default;
};

struct ScoredGroup {
  RolloutGroup rollout;
  std::vector<std::string> verifier_names;     // V
  std::vector<std::vector<float>> rewards_VG;  // each verifier's reward after its gate, unweighted
  std::vector<float> rewards_G;                // the weighted sum
  // Masked samples (RewardConfig::on_error) have NaN in both; a gate that was not judged masks what
  // it gates.
  std::vector<VerifierError> errors;
};

}  // namespace hone
