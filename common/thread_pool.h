// A fixed set of threads that share loops by a fixed partition: which thread does which part
// depends on the counts alone, never on timing. Results must not depend on the partition at all
// (numerics contract): a part owns its outputs, and no reduction crosses parts.
//
// Where loops are long, one thread runs the code between them and calls the others for each (For).
// Where they are short, all run that code (Together) and meet after each loop (ForMember): then a
// loop costs one way between two threads, not there and back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "common/function_ref.h"

namespace hone {

// Thread contract: one caller at a time. Calls of For and Together do not nest.
class ThreadPool {
 public:
  // `threads` includes the caller; 0 means the number of cores this process may run on.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) over [0, count) in one contiguous part a thread, the caller's included,
  // and returns when all are done. Parts are multiples of `grain` but for the last. A loop of one
  // part runs on the caller without waking anybody. An exception of a body is rethrown here (the
  // first part's).
  void For(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body);

  // Calls body(member) once on each thread, on all at once, and returns when all are done; the
  // caller is member 0. An exception of a member is rethrown here (the first member's): the others
  // stop where they would meet it.
  void Together(FunctionRef<void(int)> body);
  // For, inside of Together: every member calls it, with the same count and grain; it does its part
  // with its own body, and returns when all have done theirs. A loop of one part is member 0's.
  void ForMember(int member, int64_t count, int64_t grain,
                 FunctionRef<void(int64_t, int64_t)> body);

 private:
  // The loop at hand, in one line of the cache: a worker that sees the number has the rest too.
  struct alignas(64) Round {
    std::atomic<uint64_t> number{0};  // the last to be written
    FunctionRef<void(int64_t, int64_t)> body;
    int64_t count = 0, part = 0;
  };
  // Of a worker, on a line of its own: the last round that it ended.
  struct alignas(64) Ended {
    std::atomic<uint64_t> round{0};
  };

  // Of a member of Together, on a line of its own: how often it met the others; or a line that one
  // of them wrote last when it came to that meeting.
  struct alignas(64) Meetings {
    std::atomic<uint64_t> number{0};
  };
  // Thrown in members that would wait for one that has failed.
  struct Abandoned {};

  void Work(int index);
  void RunPart(int index);
  void Meet(int member);
  void WakeWorkers();
  bool AllEnded() const;

  // Both sides spin for a millisecond or so (loops of a step follow each other closely, and waking
  // takes long in a virtual machine), then sleep on a condition.
  Round round_;
  std::vector<Ended> ended_;       // of each worker
  std::vector<Meetings> met_;      // of each member
  std::vector<Meetings> signals_;  // to each member, for each step of a meeting
  std::atomic<bool> abandoned_{false};
  // Apart from each other too: a caller writes the one while workers read what follows it.
  alignas(64) std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::exception_ptr> errors_;  // of each part
  std::vector<std::thread> workers_;
};

}  // namespace hone
