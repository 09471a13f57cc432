// A group with its rewards.
#pragma once

#include <string>
#include <vector>

#include "common/hash.h"
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

// What a verifier that a clock bounds (Verifier::deadline_s) gave to each sample of a group, before
// clip, gate and weight. Kept in the run's ledger: asked again, it might say something else.
struct VerdictRecord {
  std::string verifier;           // its name in the run
  Hash128 judged;                 // of the verifier's keys, the task and the completions
  std::vector<Verdict> verdicts;  // in order of sample
  bool operator==(const VerdictRecord&) const = default;
};

struct ScoredGroup {
  RolloutGroup rollout;
  std::vector<std::string> verifier_names;     // V
  std::vector<std::vector<float>> rewards_VG;  // each verifier's reward after its gate, unweighted
  std::vector<float> rewards_G;                // the weighted sum
  // Masked samples (RewardConfig::on_error) have NaN in both; a gate that was not judged masks what
  // it gates.
  std::vector<VerifierError> errors;
  std::vector<double> seconds_V = {};  // that each verifier worked; empty: nobody measured
  std::vector<VerdictRecord> records = {};
};

}  // namespace hone
