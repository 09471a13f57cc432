#include "actors/faults.h"

#include <algorithm>

namespace hone {

std::optional<InjectedFault::Kind> FaultPlan::Take(const std::string& role, uint64_t group) {
  const std::lock_guard lock(mutex_);
  const auto fault = std::find_if(left_.begin(), left_.end(), [&](const InjectedFault& f) {
    return f.kind != InjectedFault::Kind::kCorruptWeights && f.role == role && f.group_id == group;
  });
  if (fault == left_.end()) return std::nullopt;
  const InjectedFault::Kind kind = fault->kind;
  left_.erase(fault);
  return kind;
}

bool FaultPlan::TakeCorruption(uint64_t version) {
  const std::lock_guard lock(mutex_);
  const auto fault = std::find_if(left_.begin(), left_.end(), [&](const InjectedFault& f) {
    return f.kind == InjectedFault::Kind::kCorruptWeights && f.group_id == version;
  });
  if (fault == left_.end()) return false;
  left_.erase(fault);
  return true;
}

}  // namespace hone
