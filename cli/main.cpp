// hone: the program. One subcommand a file; this one only maps errors to exit codes.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cli/command.h"
#include "common/error.h"
#include "common/log.h"
#include "common/version.h"

namespace hone {
namespace {

int Main(int argc, char** argv) {
  StartLog();
  CLI::App program{"hone: train language models to reason, by rewards that a rule can check",
                   "hone"};
  program.require_subcommand(1);
  program.set_version_flag("--version", Version());
  AddQuickstartCommand(program);
  AddTrainCommand(program);
  AddWorkerCommand(program);
  AddSftCommand(program);
  AddDataCommand(program);
  AddInitModelCommand(program);
  AddGenerateCommand(program);
  AddLogprobsCommand(program);
  AddTokenizeCommand(program);
  AddTrainTokenizerCommand(program);
  AddScoreCommand(program);
  AddEvalCommand(program);
  AddExportCommand(program);
  AddBenchCommand(program);
  try {
    program.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::Error& usage) {
    program.exit(usage);
    return static_cast<int>(ExitCode::kUsage);
  }
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  try {
    return hone::Main(argc, argv);
  } catch (const hone::Error& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "hone: %s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "hone: %s\n", error.what());
    return static_cast<int>(hone::ExitCode::kRunFailed);
  }
}
