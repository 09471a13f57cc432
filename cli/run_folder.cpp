#include "cli/run_folder.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

namespace hone {
namespace fs = std::filesystem;

void PrepareRunFolder(Command command, const RunConfig& run, bool resume) {
  const fs::path folder = run.folder(), config = folder / "config.toml";
  const std::string text = ConfigToToml(command, run);
  const bool exists = fs::exists(folder / "metrics.jsonl") || fs::exists(folder / "checkpoints");
  if (exists && !resume) {
    throw UsageError(fmt::format(
        "{}: expected a new folder, found a run: go on with it by --resume, or give another "
        "[run] name",
        folder.string()));
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw RunError(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  StartLog(run.config.logging.level);
  LogToFile(folder / "log.txt");
  if (exists && fs::exists(config) && ReadFile(config) != text) {
    spdlog::warn("{} differs from the config given: the run goes on with the one given",
                 config.string());
  }
  WriteFileAtomically(config, text);
}

void SetRunFolder(RunConfig* run, const fs::path& folder) {
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  run->config.run.name = plain.filename().string();
  run->config.run.output_dir = plain.has_parent_path() ? plain.parent_path().string() : ".";
}

fs::path FinishRun(const fs::path& checkpoint, bool interrupted) {
  if (interrupted) {
    throw Error(
        ExitCode::kInterrupted,
        fmt::format("interrupted; checkpoint in {}; go on with --resume", checkpoint.string()));
  }
  return checkpoint;
}

void PrintResult(const fs::path& checkpoint, const RunConfig& run) {
  OrderedJson result;
  result["run"] = run.folder().string();
  result["checkpoint"] = checkpoint.string();
  result["steps"] = run.config.run.steps;
  fmt::print("{}\n", Dump(result));
}

}  // namespace hone
