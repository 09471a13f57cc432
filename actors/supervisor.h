// Starts the actors of the ring, watches over them, starts again what died, and ends them all.
#pragma once

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/control.h"
#include "actors/ring.h"

namespace hone {

// How a run ended.
struct RunEnd {
  std::optional<control::Death> failure;
  control::LearnerDone learner;
  uint64_t restarts = 0;
  uint64_t refused_weights = 0;
  std::vector<std::string> stuck;  // actors that did not end in time
};

// The ring's life. A worker that dies is started again under a new identity; one that dies
// kMaxRestarts + 1 times without having answered anything in between ends the run, as does the
// death of the broker or the learner, and an error that another start cannot mend (config, files).
class Supervisor {
 public:
  static constexpr int kMaxRestarts = 5;

  Supervisor(caf::event_based_actor* self, std::shared_ptr<Ring> ring,
             std::shared_ptr<std::promise<RunEnd>> end);

  void Start();
  // Looks at the clock and at the user's interrupt.
  void Tick();
  void OnDown(const caf::down_msg& down);
  void OnBatchClosed(const control::BatchClosed& closed);
  void OnDelivered(const control::Delivered& delivered);
  void OnLost(const control::Lost& lost);
  void OnWeightsRefusal() { ++end_.refused_weights; }
  void OnLearnerDone(const control::LearnerDone& done);
  // Ends the run with an error; the first one counts.
  void Fail(control::Death death);

 private:
  using Clock = std::chrono::steady_clock;

  struct Child {
    std::string role;
    std::string place;     // "rollout_worker-0": stays over restarts
    std::string identity;  // "rollout_worker-0#2": the third to hold the place
    int starts = 0;
    int deaths = 0;  // since the last answer
    caf::actor actor;
  };

  void StartWorker(Child child);
  void Restart(Child child, const control::Death& death);
  void StopAll();
  void FinishIfOver();

  caf::event_based_actor* self_;
  std::shared_ptr<Ring> ring_;
  std::shared_ptr<std::promise<RunEnd>> promise_;
  std::map<caf::actor_addr, Child> children_;
  caf::actor broker_, learner_;
  RunEnd end_;
  bool learner_done_ = false, told_to_stop_ = false, stopping_ = false, finished_ = false;
  uint64_t closed_ = 0;  // batches whose ledger is closed
  Clock::time_point stop_by_;
};

struct SupervisorState {
  const char* name = "supervisor";
  std::unique_ptr<Supervisor> supervisor;
};
// Fulfils `end` when all actors have ended (or did not in time), and ends.
caf::behavior SupervisorActor(caf::stateful_actor<SupervisorState>* self,
                              std::shared_ptr<Ring> ring,
                              std::shared_ptr<std::promise<RunEnd>> end);

}  // namespace hone
