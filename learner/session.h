// All that is done with a generation batch, whoever made it (the ring or a replay): learn, write
// traces and metrics, save checkpoints; and go on from the last whole checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "common/config.h"
#include "learner/learner.h"

namespace hone {

// Seconds spent before the learner got the batch; reported as time/… metrics.
struct BatchTimes {
  double rollout = 0, reward = 0, sync = 0;
};

// Thread contract: one thread.
class Session {
 public:
  // Loads config.policy.model, makes the backend (and a reference backend when beta > 0), prepares
  // the run's folder and, with `resume`, loads the newest whole checkpoint and cuts metrics and
  // traces back to it. Without `resume` a folder that already holds a run's metrics or checkpoints
  // is refused (UsageError says: resume, or another name).
  Session(const Config& config, const std::filesystem::path& folder, bool resume, int threads);
  ~Session();

  const ModelFolder& model() const;
  std::shared_ptr<const Weights> weights() const;  // version = optimizer steps done
  uint64_t step() const;                           // optimizer steps done
  uint64_t next_batch() const;                     // ordinal of the generation batch to learn next
  bool done() const;                               // run.steps reached

  // Learns the batch: traces, one metrics line an optimizer step, checkpoints where due (and at the
  // end).
  std::vector<Metrics> Learn(const StepBatch& batch, const BatchTimes& times);
  // Saves a checkpoint now unless this step has one; for an orderly stop. Returns the newest one's
  // folder.
  std::filesystem::path Checkpoint();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
