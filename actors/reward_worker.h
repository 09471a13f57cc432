// Scores groups with the run's verifiers.
#pragma once

#include <deque>

#include "actors/worker.h"

namespace hone {

// Consumes RolloutGroup, produces ScoredGroup. Waits for groups, of which it asks for a few at a
// time.
class RewardWorker : public Worker {
 public:
  RewardWorker(std::shared_ptr<Ring> ring, const std::string& identity);

 protected:
  Next Handle(Message message) override;
  Next Work(std::chrono::steady_clock::time_point deadline) override;
  std::string state() const override;
  std::chrono::milliseconds patience() const override;

 private:
  std::deque<RolloutGroup> waiting_;
};

}  // namespace hone
