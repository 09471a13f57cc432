// Turns the learner's credit into tasks: which prompt a group has depends on its number alone.
#pragma once

#include <deque>

#include "actors/worker.h"

namespace hone {

// Consumes BatchCredit, produces PromptTask. Waits for credit.
class PromptSource : public Worker {
 public:
  PromptSource(std::shared_ptr<Ring> ring, const std::string& identity);

 protected:
  Next Handle(Message message) override;
  Next Work(std::chrono::steady_clock::time_point deadline) override;
  std::string state() const override;
  std::chrono::milliseconds patience() const override;

 private:
  PromptOrder order_;
  std::deque<BatchCredit> credits_;  // what is left of each
};

}  // namespace hone
