// Groups that are scored side by side.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "reward/scorer.h"

namespace hone {

// A thread for each group: what takes time are programs that verifiers wait for.
//
// Thread contract: one thread.
class ScoringPool {
 public:
  using Clock = std::chrono::steady_clock;

  // `scorer` outlives this. At most Scorer::parallel() groups are at work.
  explicit ScoringPool(const Scorer& scorer)
      : scorer_(scorer), slots_(static_cast<size_t>(scorer.parallel())) {}
  // Stops what is at work, and waits for the verdicts that are being given.
  ~ScoringPool();
  ScoringPool(const ScoringPool&) = delete;
  ScoringPool& operator=(const ScoringPool&) = delete;

  size_t slots() const { return slots_; }
  bool full() const { return jobs_.size() >= slots_; }
  bool idle() const { return jobs_.empty(); }

  // Not when it is full.
  void Start(RolloutGroup group, std::vector<VerdictRecord> known);
  // The first that is done by then. Throws what its scoring threw.
  std::optional<ScoredGroup> Take(Clock::time_point deadline);

  // Whether verdicts came since the last call, or one that a verifier is at is still within that
  // verifier's own deadline: slow is not hung.
  bool GetsOn();
  // "group 17 (slow, 3 verdicts so far; 12 s at the next, of 20 s at most)".
  std::string Describe() const;

 private:
  struct Job {
    uint64_t group = 0;
    uint64_t verdicts = 0;  // seen by GetsOn
    ScoringWatch watch;
    bool done = false;  // this and what follows: guarded by mutex_
    std::optional<ScoredGroup> scored;
    std::exception_ptr error;
    std::jthread thread;  // the first to go: it uses the rest
  };

  const Scorer& scorer_;
  const size_t slots_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::list<Job> jobs_;
};

}  // namespace hone
