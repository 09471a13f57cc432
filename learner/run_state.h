// What a training job keeps in its run's folder: metrics, TensorBoard events and checkpoints; and
// going on from the last whole checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/config.h"
#include "learner/learner.h"
#include "learner/run_files.h"

namespace hone {

// Thread contract: one thread.
class RunState {
 public:
  // Without `resume`, a folder that holds metrics or checkpoints is refused (UsageError). With it,
  // loads the newest whole checkpoint into `learner` (none yet: leaves it as it is) and cuts all
  // that the run wrote after it. `learner` outlives this.
  RunState(const Config& config, const std::filesystem::path& folder, bool resume,
           Learner& learner);

  void Write(uint64_t step, const Metrics& metrics) { metrics_.Write(step, metrics); }
  // Saves when a multiple of checkpoint.every was passed since the last call, or the run is at its
  // end.
  void SaveWhenDue();
  // Saves unless this step has a checkpoint; removes old ones. Returns its folder.
  std::filesystem::path Save();

 private:
  // Before the metrics are opened.
  static uint64_t Prepare(const std::filesystem::path& folder, bool resume, Learner& learner);

  const Config& config_;
  std::filesystem::path folder_;
  Learner& learner_;
  uint64_t checked_;    // step of the last SaveWhenDue
  uint64_t saved_ = 0;  // step of the last checkpoint
  bool has_saved_ = false;
  MetricsWriter metrics_;
};

}  // namespace hone
