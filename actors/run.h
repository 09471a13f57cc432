// A whole training run: the ring of actors, from the first prompt to the last checkpoint.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/config.h"
#include "learner/learner.h"
#include "reward/verify.h"

namespace hone {

// For tests: what is to go wrong, once, at a point that does not depend on timing.
struct InjectedFault {
  enum class Kind { kThrow, kDie, kCorruptWeights };
  Kind kind = Kind::kThrow;
  std::string role;       // "rollout_worker", "reward_worker", "prompt_source"
  uint64_t group_id = 0;  // when a worker of this role first works on this group (kCorruptWeights:
                          // when this version of the weights arrives, one bit of what came is
                          // flipped)
};

// Seconds after which the ring stops waiting. Generous: they are to end what hangs, not what is
// slow.
struct RingDeadlines {
  double heartbeat = 60;  // a worker that says nothing for so long counts as dead
  double stall = 300;     // nothing moved anywhere: the run ends, saying who waits for what
  double learn = 3600;    // of one batch in the learner
  double stop = 600;      // for the actors to end once the run is over
};

struct RunOptions {
  Config config;
  std::vector<RewardConfig> rewards;
  Verifiers verifiers;           // of the rewards, in order; none: they are made
  std::filesystem::path folder;  // of the run
  bool resume = false;
  int threads = 0;  // of the learner and of each rollout worker; 0: all cores
  // Called on the learner's thread after each optimizer step.
  std::function<void(uint64_t step, const Metrics& metrics)> on_step;
  // Set from outside (a signal) to end the run after the current step with a checkpoint.
  const std::atomic<bool>* interrupt = nullptr;
  std::vector<InjectedFault> faults;
  std::string address = "inproc://broker";  // where the broker listens for the run's own workers
  // `rewards` as text, for workers of other processes, which join at config.transport.bind.
  std::string reward_tables;
  RingDeadlines deadlines;
};

struct RunOutcome {
  uint64_t steps = 0;
  std::filesystem::path checkpoint;  // the last one
  bool interrupted = false;
  uint64_t restarts = 0;         // workers that died and were replaced
  uint64_t refused_weights = 0;  // updates that a worker refused, since their fingerprint was wrong
};

// Runs until config.run.steps optimizer steps are done or `interrupt` is set. Throws RunError when
// the run cannot go on (the learner failed, or a worker kept dying), naming the cause; UsageError
// and FileError for a config, model or data that cannot be used.
RunOutcome TrainRing(const RunOptions& options);

}  // namespace hone
