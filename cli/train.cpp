// hone train: the whole job, and the table of contents of a run.
#include "actors/run.h"
#include "cli/command.h"
#include "cli/job_command.h"
#include "cli/progress.h"
#include "cli/run_folder.h"
#include "learner/replay.h"

namespace hone {

// config → run folder → ring (or replay) → checkpoints. Everything between lives below:
//   actors/run.h       the ring: prompt source, broker, rollout and reward workers, learner,
//   supervisor rollout/engine.h   tokens in, tokens out reward/scorer.h    verifiers, weights,
//   gates learner/session.h  one batch: loss, update, traces, metrics, checkpoint
std::filesystem::path RunTraining(const RunConfig& run, const JobOptions& options) {
  InterruptGuard interrupt;
  PrepareRunFolder(Command::kTrain, run, options.resume);
  Progress progress("train", run.config.run.steps);
  const auto on_step = [&](uint64_t step, const Metrics& metrics) { progress.Step(step, metrics); };
  if (run.config.rollout.source == "replay") {
    const ReplayOutcome outcome = TrainReplay(run.config, run.folder(), options.resume,
                                              options.threads, on_step, interrupt.flag());
    return FinishRun(outcome.checkpoint, outcome.interrupted);
  }
  RunOptions ring;
  ring.config = run.config;
  ring.rewards = run.rewards;
  ring.verifiers = run.verifiers;
  ring.reward_tables = RewardsToToml(WithAbsolutePaths(run.rewards));
  ring.deadlines.heartbeat = run.config.transport.heartbeat_s;
  ring.folder = run.folder();
  ring.resume = options.resume;
  ring.threads = options.threads;
  ring.on_step = on_step;
  ring.interrupt = interrupt.flag();
  const RunOutcome outcome = TrainRing(ring);
  progress.Summarize();
  return FinishRun(outcome.checkpoint, outcome.interrupted);
}

void AddTrainCommand(CLI::App& program) {
  AddJobCommand(program, Command::kTrain, "train", "Train a policy by GRPO, as one TOML file says",
                RunTraining);
}

}  // namespace hone
