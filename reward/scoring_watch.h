// What the scoring of a group is at, for another thread: it sees whether the scoring gets on, and
// can end it.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "common/error.h"

namespace hone {

// The scoring was told to end.
struct ScoringStopped : RunError {
  ScoringStopped() : RunError("the scoring was stopped") {}
};

// Thread contract: safe from any thread; one scores, others look.
class ScoringWatch {
 public:
  struct View {
    uint64_t verdicts = 0;  // given so far, of all verifiers
    std::string verifier;   // whose turn it is; empty: none yet
    uint64_t given = 0;     // by it
    bool works = false;     // false: it waits for other groups
    double seconds = 0;     // that it works at its present verdict
    double deadline_s = 0;  // within which it gives one (Verifier::deadline_s)
  };
  View Look() const;
  // The scoring throws ScoringStopped at its next verdict.
  void Stop();

  // For the scorer: a verifier's turn; End gives the seconds that it worked.
  void Begin(const std::string& verifier, double deadline_s);
  double End();
  // For verifiers: a verdict was given; it waits for its turn, and goes on.
  void Judged();
  void Wait();
  void GoOn();

 private:
  using Clock = std::chrono::steady_clock;

  mutable std::mutex mutex_;  // of all below
  View view_;
  double worked_ = 0;  // seconds of this turn before since_
  Clock::time_point since_, last_verdict_;
  bool stopped_ = false;
};

}  // namespace hone
