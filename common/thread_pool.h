// A fixed set of threads that share loops by a fixed partition: which thread does which part
// depends on the counts alone, never on timing. Results must not depend on the partition at all
// (numerics contract): a part owns its outputs, and no reduction crosses parts.
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

// Thread contract: one caller at a time. Calls do not nest.
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

  void Work(int index);
  void RunPart(int index);
  void WakeWorkers();
  bool AllEnded() const;

  // Both sides spin for a millisecond or so (loops of a step follow each other closely, and waking
  // takes long in a virtual machine), then sleep on a condition.
  Round round_;
  std::vector<Ended> ended_;  // of each worker
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
