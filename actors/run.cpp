#include "actors/run.h"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <future>
#include <memory>

#include "actors/control.h"
#include "actors/ring.h"
#include "actors/supervisor.h"
#include "common/error.h"
#include "common/log.h"

namespace hone {
namespace {

class SystemConfig : public caf::actor_system_config {
 public:
  SystemConfig() {
    add_message_types<caf::id_block::hone>();
    // All that computes has a thread of its own; the scheduler has the supervisor alone.
    set("scheduler.max-threads", 1u);
    // It waits for work. The default, work stealing, polls for it, which took an eighth of a core
    // from the products.
    set("scheduler.policy", caf::atom("sharing"));
  }
};

struct System {
  SystemConfig config;
  caf::actor_system system{config};
};

RunEnd RunActors(const std::shared_ptr<Ring>& ring) {
  auto system = std::make_unique<System>();
  const auto promise = std::make_shared<std::promise<RunEnd>>();
  std::future<RunEnd> future = promise->get_future();
  system->system.spawn(SupervisorActor, ring, promise);
  RunEnd end = future.get();
  if (end.stuck.empty()) return end;
  // A thread cannot be ended from outside. What it still uses is left to it, for the process to
  // end.
  std::string names;
  for (const std::string& name : end.stuck) names += (names.empty() ? "" : ", ") + name;
  system.release();
  new std::shared_ptr<Ring>(ring);
  const std::string cause = end.failure ? "; the run had failed: " + end.failure->text : "";
  throw RunError(
      fmt::format("{} did not end within {} s{}", names, ring->options.deadlines.stop, cause));
}

[[noreturn]] void Throw(const control::Death& death) {
  if (death.code == ExitCode::kRunFailed) throw RunError(death.text);
  if (death.code == ExitCode::kUsage) throw UsageError(death.text);
  throw Error(death.code, death.text);
}

}  // namespace

RunOutcome TrainRing(const RunOptions& options) {
  const std::shared_ptr<Ring> ring = MakeRing(options);
  RunOutcome outcome;
  if (ring->session->done()) {
    outcome.steps = ring->session->step();
    outcome.checkpoint = ring->session->Checkpoint();
    return outcome;
  }
  const RunEnd end = RunActors(ring);
  if (end.failure) Throw(*end.failure);
  outcome.steps = end.learner.steps;
  outcome.checkpoint = end.learner.checkpoint;
  outcome.interrupted = end.learner.interrupted;
  outcome.restarts = end.restarts;
  outcome.refused_weights = end.refused_weights;
  return outcome;
}

}  // namespace hone
