#include "common/thread_pool.h"

#include <sched.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <exception>

namespace hone {
namespace {

int AvailableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

// True when `ready` came true while spinning. After the first microseconds the core is offered to
// others between looks: with more threads than cores, one of them may be what is waited for.
template <class Ready>
bool SpinUntil(const Ready& ready) {
  constexpr int kPauses = 400, kYields = 3000;
  for (int i = 0; i < kPauses; ++i) {
    if (ready()) return true;
#if defined(__x86_64__)
    _mm_pause();
#endif
  }
  for (int i = 0; i < kYields; ++i) {
    if (ready()) return true;
    sched_yield();
  }
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = AvailableCores();
  errors_.resize(threads);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Work(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::RunPart(int index) {
  const int64_t begin = index * part_, end = std::min(count_, begin + part_);
  if (begin >= end) return;
  try {
    (*body_)(begin, end);
  } catch (...) {
    errors_[index] = std::current_exception();  // rethrown by For
  }
}

void ThreadPool::Work(int index) {
  uint64_t seen = 0;
  for (;;) {
    if (!SpinUntil([&] { return round_ != seen || stop_; })) {
      std::unique_lock lock(mutex_);
      ++sleepers_;  // before the predicate is read: For() looks at it after it moved round_
      wake_.wait(lock, [&] { return round_ != seen || stop_; });
      --sleepers_;
    }
    if (stop_) return;
    ++seen;  // rounds cannot be missed: the next begins only when all workers ended this one
    RunPart(index);
    if (--pending_ == 0 && caller_sleeps_) {
      std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

void ThreadPool::For(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int64_t grains = (count + grain - 1) / grain;
  const int64_t parts = std::min<int64_t>(threads(), grains);
  if (parts == 1) return body(0, count);
  body_ = &body;
  count_ = count;
  part_ = (grains + parts - 1) / parts * grain;
  pending_ = static_cast<int>(workers_.size());
  ++round_;
  if (sleepers_ > 0) {
    std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  RunPart(0);
  if (!SpinUntil([&] { return pending_ == 0; })) {
    std::unique_lock lock(mutex_);
    caller_sleeps_ = true;
    done_.wait(lock, [&] { return pending_ == 0; });
    caller_sleeps_ = false;
  }
  std::exception_ptr first;
  for (auto& error : errors_) {
    if (error && !first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace hone
