// The live line of a run: one line that renews itself on a terminal, plain lines elsewhere.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "cli/stage_times.h"
#include "learner/learner.h"

namespace hone {

// Thread contract: one thread. Writes to stderr.
class Progress {
 public:
  // `title` names what runs ("sft", "train"). The first Step() tells where a resumed run begins.
  Progress(std::string title, int64_t steps);
  ~Progress();
  // Says once, after a minute, when verdicts hold up the run.
  void Step(uint64_t step, const Metrics& metrics);
  // Logs where the time went, and whether verdicts held up the run.
  void Summarize();

 private:
  void EndLine();

  std::string title_;
  uint64_t steps_, done_before_ = ~uint64_t{0};
  bool terminal_, open_line_ = false, warned_ = false;
  std::chrono::steady_clock::time_point begin_, last_line_;
  StageTimes times_;
};

// While it lives, SIGINT and SIGTERM ask the run to stop in order (a checkpoint, exit code 130); a
// second signal ends the program at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  static const std::atomic<bool>* flag();
};

}  // namespace hone
