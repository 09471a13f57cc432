// Where the wall time of a training run goes: which stage the others waited for.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "learner/learner.h"

namespace hone {

// Thread contract: one thread.
class StageTimes {
 public:
  // The metrics of one step: time/rollout, time/reward, time/learn, time/sync, which add up to the
  // step's wall time, and time/reward/NAME of each verifier.
  void Add(const Metrics& metrics);

  double seconds() const;  // of all steps
  // The share of the wall time in which all groups were sampled and generation waited for verdicts.
  double waited_for_verdicts() const;
  // "rollout 61 %, reward 30 %, learn 8 %, sync 1 %"
  std::string Shares() const;
  // When no other stage took longer than that wait: says so, and names the slowest verifier.
  std::optional<std::string> RewardBottleneck() const;

 private:
  std::map<std::string, double> stages_;     // seconds
  std::map<std::string, double> verifiers_;  // seconds that each worked, groups side by side
};

}  // namespace hone
