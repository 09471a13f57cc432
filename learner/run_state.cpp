#include "learner/run_state.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/log.h"
#include "learner/checkpoints.h"

namespace hone {
namespace fs = std::filesystem;

RunState::RunState(const Config& config, const fs::path& folder, bool resume, Learner& learner)
    : config_(config),
      folder_(folder),
      learner_(learner),
      checked_(Prepare(folder, resume, learner)),
      metrics_(folder, config.logging.tensorboard, checked_) {
  has_saved_ = checked_ > 0;
  saved_ = checked_;
}

uint64_t RunState::Prepare(const fs::path& folder, bool resume, Learner& learner) {
  if (!resume && (fs::exists(folder / "metrics.jsonl") || fs::exists(folder / "checkpoints"))) {
    throw UsageError(fmt::format(
        "{}: expected a new folder, found a run: go on with it by --resume, or give another "
        "[run] name",
        folder.string()));
  }
  if (resume) {
    if (const auto checkpoint = NewestCheckpoint(folder)) {
      learner.Load(*checkpoint);
      spdlog::info("resuming from {}", checkpoint->string());
    } else {
      spdlog::info("{}: no checkpoint yet, starting from the beginning", folder.string());
    }
  }
  const uint64_t step = learner.state().step;
  std::error_code error;
  fs::create_directories(folder / "checkpoints", error);
  if (error)
    throw RunError(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  RemoveCheckpointsAfter(folder, step);
  CutTraces(folder, learner.state().batches);
  return step;
}

void RunState::SaveWhenDue() {
  const uint64_t step = learner_.state().step, before = checked_;
  checked_ = step;
  const auto every = static_cast<uint64_t>(std::max<int64_t>(0, config_.checkpoint.every));
  const bool passed = every > 0 && step / every > before / every;
  if (passed || step >= static_cast<uint64_t>(config_.run.steps)) Save();
}

fs::path RunState::Save() {
  const uint64_t step = learner_.state().step;
  const fs::path path = CheckpointPath(folder_, step);
  if (!has_saved_ || saved_ != step) {
    learner_.Save(path);
    has_saved_ = true;
    saved_ = step;
    PruneCheckpoints(folder_, config_.checkpoint.keep);
  }
  return path;
}

}  // namespace hone
