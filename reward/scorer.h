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

// A verifier could not judge a sample, and its on_error is stop.
struct OnErrorStop : RunError {
  using RunError::RunError;
};

// Thread contract: Score is safe from any thread.
class Scorer {
 public:
  // Throws UsageError: an unknown verifier or option, or a gate that names no verifier of the run.
  // A verifier that occurs again is named NAME_2, NAME_3 and so on, in metrics as in gates.
  // `verifiers` are those of the rewards, in order.
  Scorer(const std::vector<RewardConfig>& rewards, Verifiers verifiers,
         std::shared_ptr<const Tokenizer> tokenizer);
  // Makes them.
  Scorer(const std::vector<RewardConfig>& rewards, uint64_t seed,
         std::shared_ptr<const Tokenizer> tokenizer);

  const std::vector<RewardConfig>& rewards() const { return rewards_; }
  const Verifiers& verifiers() const { return verifiers_; }
  const std::vector<std::string>& names() const { return names_; }

  // Decodes each completion once, without special tokens. What a verifier cannot judge is in
  // ScoredGroup::errors, and gets the reward that RewardConfig::on_error says. A verifier whose
  // verdicts on just this are `known` is not asked. Throws RunError when the task's columns are no
  // JSON, OnErrorStop, UsageError for a token that the tokenizer does not know, ScoringStopped.
  ScoredGroup Score(RolloutGroup group, const std::vector<VerdictRecord>& known,
                    ScoringWatch& watch) const;
  ScoredGroup Score(RolloutGroup group) const;

  // Groups that are worth scoring at once: the most that a verifier of the run judges side by side.
  int parallel() const;

 private:
  // What one verifier says of each sample, be it known or asked for.
  std::vector<Verdict> Judge(size_t verifier, std::span<const Sample> batch,
                             const std::vector<VerdictRecord>& known, const Hash128& judged,
                             ScoringWatch& watch) const;
  // The same as numbers, before clip and gates; NaN where it could not judge.
  std::vector<double> Given(size_t verifier, uint64_t group, std::vector<Verdict> verdicts,
                            std::vector<VerifierError>* errors) const;
  Hash128 HashOf(size_t verifier, const RolloutGroup& group) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  Verifiers verifiers_;
  std::vector<RewardConfig> rewards_;
  std::vector<std::string> names_;  // of the verifiers
  std::vector<ptrdiff_t> gates_;    // index of the verifier that gates this one; -1: none
};

}  // namespace hone
