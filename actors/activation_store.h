// Where rollout workers leave activations for the learner of the same process. A cache, not a
// message: what is not there is computed again, to the same bits.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "policy/activations.h"

namespace hone {

// Any thread may call.
class ActivationStore {
 public:
  void Put(uint64_t group_id, std::shared_ptr<const GroupActivations> activations) {
    if (activations == nullptr) return;
    std::lock_guard lock(mutex_);
    groups_.insert_or_assign(group_id, std::move(activations));
  }

  // Null when there are none. Those of earlier groups, which nobody will ask for, go too.
  std::shared_ptr<const GroupActivations> Take(uint64_t group_id) {
    std::lock_guard lock(mutex_);
    groups_.erase(groups_.begin(), groups_.lower_bound(group_id));
    const auto found = groups_.extract(group_id);
    return found.empty() ? nullptr : found.mapped();
  }

 private:
  std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<const GroupActivations>> groups_;
};

}  // namespace hone
