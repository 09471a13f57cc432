// What all actors of one run share. Made before the first actor, unchanged while they run but for
// the activations; the session is the learner's alone.
#pragma once

#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "actors/activation_store.h"
#include "actors/faults.h"
#include "actors/run.h"
#include "learner/session.h"
#include "policy/files/model_folder.h"
#include "reward/scorer.h"
#include "rollout/prompts.h"
#include "transport/socket.h"

namespace hone {

inline constexpr char kPromptSource[] = "prompt_source";
inline constexpr char kRolloutWorker[] = "rollout_worker";
inline constexpr char kRewardWorker[] = "reward_worker";
inline constexpr char kLearner[] = "learner";

struct Ring {
  explicit Ring(const RunOptions& run) : options(run), faults(run.faults) {}

  const RunOptions options;
  FaultPlan faults;
  zmq::context_t context;
  SocketOptions socket;
  ModelFolder model;  // without weights; has a tokenizer
  std::vector<PromptRow> rows;
  std::unique_ptr<const Scorer> scorer;
  std::unique_ptr<Session> session;
  ActivationStore activations;

  uint64_t groups_per_batch() const {
    return static_cast<uint64_t>(options.config.rollout.prompts_per_step);
  }
};

// Loads and checks everything that a run needs, so that what is wrong with a config, a model or the
// data is said before any actor starts. Throws UsageError, FileError.
std::shared_ptr<Ring> MakeRing(const RunOptions& options);

}  // namespace hone
