// All verifiers of a run, with their weights and gates, over one group.
#pragma once

#include <memory>
#include <vector>

#include "policy/text/tokenizer.h"
#include "reward/scored_group.h"
#include "reward/verifier.h"

namespace hone {

// Thread contract: Score is safe from any thread.
class Scorer {
 public:
  Scorer(const std::vector<RewardConfig>& rewards, uint64_t seed, std::shared_ptr<const Tokenizer> tokenizer);
  ScoredGroup Score(RolloutGroup group) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::unique_ptr<Verifier>> verifiers_;
  std::vector<RewardConfig> rewards_;
};

}  // namespace hone
