// The two jobs that train, as functions: what `hone train`, `hone sft` and `hone quickstart` call.
#pragma once

#include <filesystem>

#include "cli/config_file.h"

namespace hone {

struct JobOptions {
  bool resume = false;
  int threads = 0;  // 0: all cores
};

// Both return the folder of the last checkpoint. An interrupt ends them after a checkpoint with
// Error(ExitCode::kInterrupted).
std::filesystem::path RunTraining(const RunConfig& run, const JobOptions& options);
std::filesystem::path RunSft(const RunConfig& run, const JobOptions& options);

}  // namespace hone
