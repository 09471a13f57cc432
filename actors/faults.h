// Injected faults, each of which happens once.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/run.h"

namespace hone {

// Thread contract: safe from any thread.
class FaultPlan {
 public:
  explicit FaultPlan(std::vector<InjectedFault> faults) : left_(std::move(faults)) {}

  // kThrow or kDie, when one is to strike a worker of this role that works on this group.
  std::optional<InjectedFault::Kind> Take(const std::string& role, uint64_t group);
  // Whether this version of the weights is to arrive corrupt.
  bool TakeCorruption(uint64_t version);

 private:
  std::mutex mutex_;
  std::vector<InjectedFault> left_;
};

}  // namespace hone
