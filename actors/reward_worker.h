// Scores groups with the run's verifiers.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "actors/scoring_pool.h"
#include "actors/worker.h"

namespace hone {

// Consumes RolloutGroup, and before it KnownVerdicts where the ledger has some; produces
// ScoredGroup, in any order. Waits for groups, of which it asks for as many as its verifiers judge
// side by side, and one to go on with. Verifiers run on threads of their own: a program under
// judgement may take longer than the broker waits for a word, and the worker says meanwhile that it
// lives and whether it gets on.
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
  void AskForGroups();
  // Starts what waits while there is room.
  Next StartWaiting();

  std::deque<RolloutGroup> waiting_;
  std::map<uint64_t, std::vector<VerdictRecord>> known_;  // on groups that have not been started
  ScoringPool pool_;
  bool remote_ = false;  // its process is not the run's
};

}  // namespace hone
