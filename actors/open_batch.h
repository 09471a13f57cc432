// The payloads of the generation batch that is being made, by group; the ledger has their account.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/hash.h"
#include "transport/codec.h"
#include "transport/messages.h"

namespace hone {

// An answer must be to what was asked: what it says of itself is checked against the credit, the
// task and the weights. Each check returns what is wrong, or nothing.
class OpenBatch {
 public:
  // `weights` is the fingerprint that every sample must bear.
  OpenBatch() = default;
  OpenBatch(const BatchCredit& credit, const Hash128& weights, int32_t num_generations)
      : credit_(credit), weights_(weights), num_generations_(num_generations) {}

  const BatchCredit& credit() const { return credit_; }

  std::optional<std::string> Check(const PromptTask& task) const;
  std::optional<std::string> Check(const RolloutGroup& group) const;

  void Add(PromptTask task, Frames frames);
  void Add(const RolloutGroup& group, Frames frames);
  // What was sampled is taken from the rollout worker's message: a reward worker gives rewards.
  void Add(ScoredGroup group);

  // The message to send to a worker, sharing its bytes.
  Frames Task(uint64_t group);
  Frames Rollout(uint64_t group);
  // Takes out the scored groups named, in that order.
  StepBatch Take(const std::vector<uint64_t>& groups);

 private:
  struct Payload {
    PromptTask task;
    Frames task_frames, rollout_frames;
    ScoredGroup scored;
  };

  BatchCredit credit_;
  Hash128 weights_;
  int32_t num_generations_ = 0;
  std::map<uint64_t, Payload> payloads_;
};

}  // namespace hone
