// Samples groups with the weights that their task names.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "actors/worker.h"
#include "policy/backend.h"
#include "rollout/engine.h"

namespace hone {

// Consumes WeightsUpdate and PromptTask, produces RolloutGroup. Waits for weights, and for tasks of
// the version that it holds; a task of a later version waits here until that one has come.
class RolloutWorker : public Worker {
 public:
  RolloutWorker(std::shared_ptr<Ring> ring, const std::string& identity);

 protected:
  Next Handle(Message message) override;
  Next Work(std::chrono::steady_clock::time_point deadline) override;
  std::string state() const override;
  std::chrono::milliseconds patience() const override;
  std::chrono::milliseconds lull() const override;

 private:
  // Makes the backend and the engine, and asks for work. After the greeting: it may take a while.
  void SetUp();
  // Computes the fingerprint anew; weights that do not have it are refused.
  void Check(std::shared_ptr<const Weights> weights);
  void TakeNewWeights();
  void SubmitTasks();
  void SendResults();

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Weights> new_weights_;  // checked, to be taken when the engine is idle
  std::shared_ptr<const Weights> weights_;      // that the engine samples from
  std::deque<PromptTask> waiting_;
  std::map<uint64_t, PromptTask> running_;  // by group
};

}  // namespace hone
