// Training on recorded traces instead of sampling (rollout.source = "replay").
#pragma once

#include <filesystem>

#include "common/config.h"
#include "learner/job.h"

namespace hone {

using ReplayOutcome = JobOutcome;

// Learns the batches of rollout.replay, each for num_iterations optimizer steps, until run.steps
// are done. Throws FileError when the recording is damaged or holds fewer batches than that takes.
// `interrupt` (may be null) ends it after the batch at hand, with a checkpoint.
ReplayOutcome TrainReplay(const Config& config, const std::filesystem::path& folder, bool resume,
                          int threads, const OnStep& on_step, const std::atomic<bool>* interrupt);

}  // namespace hone
