// A group with its rewards.
#pragma once

#include <string>
#include <vector>

#include "rollout/group.h"

namespace hone {

struct ScoredGroup {
  RolloutGroup rollout;
  std::vector<std::string> verifier_names;     // V
  std::vector<std::vector<float>> rewards_VG;  // each verifier's reward after its gate, unweighted
  std::vector<float> rewards_G;                // the weighted sum
  std::vector<std::string> errors;             // what verifiers could not decide, for the log
};

}  // namespace hone
