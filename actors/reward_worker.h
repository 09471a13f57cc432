// Scores groups with the run's verifiers.
#pragma once

#include <deque>
#include <future>

#include "actors/worker.h"

namespace hone {

// Consumes RolloutGroup, produces ScoredGroup. Waits for groups, of which it asks for a few at a
// time. Verifiers run on a thread of their own, one group at a time: a program under judgement may
// take longer than the broker waits for a word.
class RewardWorker : public Worker {
 public:
  RewardWorker(std::shared_ptr<Ring> ring, const std::string& identity);
  // Of another process. Of the ring it needs the scorer alone.
  RewardWorker(std::shared_ptr<Ring> ring, WorkerLink& link);

 protected:
  Next Handle(Message message) override;
  Next Work(std::chrono::steady_clock::time_point deadline) override;
  std::string state() const override;
  std::chrono::milliseconds patience() const override;

 private:
  std::deque<RolloutGroup> waiting_;
  std::future<ScoredGroup> scoring_;  // its end waits for the verifiers, which are bounded
  uint64_t scored_group_ = 0;         // the one at work
};

}  // namespace hone
