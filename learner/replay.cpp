#include "learner/replay.h"

#include <fmt/format.h>

#include "common/error.h"
#include "learner/policy_folder.h"
#include "learner/run_files.h"
#include "learner/session.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

TraceOptions OptionsOf(const ModelFolder& model) {
  TraceOptions options;
  options.vocab_size = model.config.vocab_size;
  options.terminators = model.generation.eos_token_ids;
  if (model.generation.pad_token_id >= 0)
    options.terminators.push_back(model.generation.pad_token_id);
  return options;
}

// Before any work: a recording that ends before the run would waste it.
void CheckEnough(const Config& config, size_t batches) {
  const int64_t iterations = config.algorithm.num_iterations;
  const int64_t needed = (config.run.steps + iterations - 1) / iterations;
  if (static_cast<int64_t>(batches) >= needed) return;
  throw FileError(
      config.rollout.replay, "",
      fmt::format(
          "holds {} generation batches; run.steps = {} with algorithm.num_iterations = {} takes {}",
          batches, config.run.steps, iterations, needed));
}

}  // namespace

ReplayOutcome TrainReplay(const Config& config, const fs::path& folder, bool resume, int threads,
                          const OnStep& on_step, const std::atomic<bool>* interrupt) {
  // The recording is read before the session makes anything in the run's folder.
  const std::vector<StepBatch> batches = ReadTraces(
      config.rollout.replay, OptionsOf(LoadPolicyFolder(config.policy, /*with_weights=*/false)));
  CheckEnough(config, batches.size());
  Session session(config, folder, resume, threads);
  ReplayOutcome outcome;
  while (!session.done() && !outcome.interrupted) {
    uint64_t step = session.step();
    for (const Metrics& metrics : session.Learn(batches.at(session.next_batch()), {})) {
      if (on_step) on_step(++step, metrics);
    }
    outcome.interrupted = interrupt != nullptr && interrupt->load() && !session.done();
  }
  outcome.checkpoint = session.Checkpoint();
  outcome.steps = session.step();
  return outcome;
}

}  // namespace hone
