// The learner's place in the ring.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "actors/control.h"
#include "actors/worker.h"

namespace hone {

// Consumes batches, produces weights and the credit for the next batch. Waits for the batch it
// asked for: with staleness 0 there is one at a time.
//
// Thread contract: one thread, which is the session's while this lives.
class LearnerLoop {
 public:
  LearnerLoop(std::shared_ptr<Ring> ring, const std::string& identity);

  // Waits for messages for kSlice, or learns one batch. A result: the run is over.
  std::optional<control::LearnerDone> Slice();
  void StopAfterBatch() { stop_ = true; }

 private:
  void Publish();
  void Learn(BatchMessage message);

  std::shared_ptr<Ring> ring_;
  Session& session_;
  WorkerLink link_;
  bool asked_ = false;  // for the next batch
  bool stop_ = false;
};

}  // namespace hone
