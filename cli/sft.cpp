// hone sft: supervised training on demonstrations, the cold start before reinforcement learning.
#include "learner/sft.h"

#include "cli/command.h"
#include "cli/job_command.h"
#include "cli/progress.h"
#include "cli/run_folder.h"

namespace hone {

std::filesystem::path RunSft(const RunConfig& run, const JobOptions& options) {
  InterruptGuard interrupt;
  PrepareRunFolder(Command::kSft, run, options.resume);
  Progress progress("sft", run.config.run.steps);
  const auto on_step = [&](uint64_t step, const Metrics& metrics) { progress.Step(step, metrics); };
  const SftOutcome outcome = TrainSft(run.config, run.folder(), options.resume, options.threads,
                                      on_step, interrupt.flag());
  return FinishRun(outcome.checkpoint, outcome.interrupted);
}

void AddSftCommand(CLI::App& program) {
  AddJobCommand(program, Command::kSft, "sft", "Train on demonstrations, as one TOML file says",
                RunSft);
}

}  // namespace hone
