// The messages of a run as plain structs. What the wire carries, and in which order, is in
// messages.fbs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/error.h"
#include "common/hash.h"
#include "learner/session.h"
#include "learner/step_batch.h"
#include "policy/model/weights.h"
#include "reward/scored_group.h"
#include "rollout/group.h"

namespace hone {

// A worker introduces itself; nothing else it says is heard before. Of another process, it says the
// version of its program, and is answered by Welcome or Refused.
struct Hello {
  std::string role;
  std::string version = {};
};

// What a worker of another process needs to know of the run.
struct Welcome {
  uint64_t seed = 0;
  std::string rewards;    // its [[reward]] tables, as in config.toml
  std::string tokenizer;  // the text of its tokenizer.json
  Hash128 tokenizer_hash;
};

// The broker does not hear the sender, or no longer does.
struct Refused {
  std::string text;
};

// A worker of another process goes in order: what it has in hand is for others.
struct Leave {
  std::string reason;
};

// Sign of life. `progress` grows while the sender gets on; `state` says what it does or waits for.
struct Heartbeat {
  uint64_t progress = 0;
  std::string state;
};

// The sender can take this many groups more.
struct Credit {
  uint32_t groups = 0;
};

// The learner asks for groups first_group … first_group + groups - 1: generation batch `step`,
// sampled by weights `version`.
struct BatchCredit {
  uint64_t step = 0;
  uint64_t version = 0;
  uint64_t first_group = 0;
  uint32_t groups = 0;
};

// A whole batch, and how long it took to come about.
struct BatchMessage {
  StepBatch batch;
  BatchTimes times;
};

// The learner has taken the optimizer steps of batch `step`.
struct Trained {
  uint64_t step = 0;
};

// Weights with the fingerprint that the sender claims; whoever receives them computes it anew.
struct WeightsUpdate {
  std::shared_ptr<const Weights> weights;
};

struct WeightsHeld {
  uint64_t version = 0;
};

struct WeightsRefused {
  uint64_t version = 0;
  std::string text;
};

// The sender cannot go on, and to start it again would not help.
struct Fault {
  ExitCode code = ExitCode::kRunFailed;
  std::string text;
};

struct Stop {
  std::string reason;
};

// What the ledger has of a group that is to be scored; comes before it.
struct KnownVerdicts {
  uint64_t group_id = 0;
  std::vector<VerdictRecord> records;
};

using Message = std::variant<Hello, Heartbeat, Credit, BatchCredit, PromptTask, RolloutGroup,
                             ScoredGroup, BatchMessage, Trained, WeightsUpdate, WeightsHeld,
                             WeightsRefused, Fault, Stop, Welcome, Refused, Leave, KnownVerdicts>;

}  // namespace hone
