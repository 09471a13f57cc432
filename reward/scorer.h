// All verifiers of a run, with their weights and gates, over one group.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "policy/text/tokenizer.h"
#include "reward/scored_group.h"
#include "reward/verify.h"

namespace hone {

// Thread contract: Score is safe from any thread.
class Scorer {
 public:
  // Throws UsageError: an unknown verifier or option, or a gate that names no verifier of the run.
  // A verifier that occurs again is named NAME_2, NAME_3 and so on, in metrics as in gates.
  Scorer(const std::vector<RewardConfig>& rewards, uint64_t seed,
         std::shared_ptr<const Tokenizer> tokenizer);

  // Decodes each completion once, without special tokens. What a verifier cannot judge is in
  // ScoredGroup::errors, and gets the reward that RewardConfig::on_error says. Throws RunError when
  // the task's columns are no JSON or on_error says stop, UsageError for a token that the tokenizer
  // does not know.
  ScoredGroup Score(RolloutGroup group) const;

  const std::vector<std::string>& names() const { return names_; }  // of the verifiers, in order

 private:
  // One verifier's rewards before gates.
  std::vector<double> Judge(size_t verifier, std::span<const Sample> batch,
                            std::vector<VerifierError>* errors) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::unique_ptr<Verifier>> verifiers_;
  std::vector<RewardConfig> rewards_;
  std::vector<std::string> names_;  // of the verifiers
  std::vector<ptrdiff_t> gates_;    // index of the verifier that gates this one; -1: none
};

}  // namespace hone
