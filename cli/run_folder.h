// The folder of a run, from the command's side: prepared before the work, reported after it.
#pragma once

#include <filesystem>

#include "cli/config_file.h"

namespace hone {

// Makes the folder, writes the resolved config.toml and starts log.txt. Without `resume` a folder
// that already holds a run is refused (UsageError); with it, a config that differs from the
// folder's is warned of.
void PrepareRunFolder(Command command, const RunConfig& run, bool resume);

// Makes `folder` the run's folder, whatever the config says.
void SetRunFolder(RunConfig* run, const std::filesystem::path& folder);

// Throws Error(kInterrupted) naming the checkpoint when the run was interrupted; else returns it.
std::filesystem::path FinishRun(const std::filesystem::path& checkpoint, bool interrupted);

// One JSON object on stdout: {"run", "checkpoint", "steps"}.
void PrintResult(const std::filesystem::path& checkpoint, const RunConfig& run);

}  // namespace hone
