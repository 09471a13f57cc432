// Keeps what the forwards of an engine compute, group by group, for a learner in the same process.
// Changes no token.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/activations.h"
#include "rollout/scheduler.h"
#include "rollout/sequence.h"

namespace hone {

// Thread contract: one thread.
class ActivationRecorder {
 public:
  explicit ActivationRecorder(int64_t budget_bytes) : budget_(budget_bytes) {}

  // Nothing runs: what was kept belongs to others now, and the whole budget is there again.
  void Begin();
  // Where the next forward records, or null.
  std::shared_ptr<const Activations>* target() { return recording_ ? &forward_ : nullptr; }
  // That forward has run these rows (and Scheduler::Commit not yet).
  void Note(const std::vector<ScheduledRows>& scheduled);
  // A sample is done. Before its tokens are moved away.
  void Finish(const Sequence& sequence);
  // A group is done: what was kept of it, or null when that is not all of it.
  std::shared_ptr<const GroupActivations> Take(Group& group, const Hash128& fingerprint);

 private:
  void Drop();

  const int64_t budget_;
  int64_t bytes_ = 0;
  bool recording_ = false;
  std::shared_ptr<const Activations> forward_;
  std::vector<std::shared_ptr<Group>> groups_;  // unfinished ones with rows
};

}  // namespace hone
