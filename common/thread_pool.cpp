#include "common/thread_pool.h"

#include <sched.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>

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

// Of each thread's part of a loop; the last parts may be smaller, or empty.
int64_t PartSize(int64_t count, int64_t grain, int64_t threads) {
  grain = std::max<int64_t>(1, grain);
  const int64_t grains = (count + grain - 1) / grain;
  return (grains + threads - 1) / threads * grain;
}

}  // namespace

ThreadPool::ThreadPool(int threads)
    : ended_(static_cast<size_t>(threads > 0 ? threads : AvailableCores()) - 1),
      met_(ended_.size() + 1),
      signals_(met_.size() * std::bit_width(ended_.size())),
      errors_(met_.size()) {
  for (size_t i = 1; i < errors_.size(); ++i) {
    workers_.emplace_back([this, i] { Work(static_cast<int>(i)); });
  }
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
  const int64_t begin = index * round_.part, end = std::min(round_.count, begin + round_.part);
  if (begin >= end) return;
  try {
    round_.body(begin, end);
  } catch (...) {
    errors_[index] = std::current_exception();  // rethrown by For
  }
}

void ThreadPool::Work(int index) {
  uint64_t seen = 0;
  for (;;) {
    const auto called = [&] { return round_.number != seen || stop_; };
    if (!SpinUntil(called)) {
      std::unique_lock lock(mutex_);
      ++sleepers_;  // before the predicate is read: For() looks at it after it moved the number
      wake_.wait(lock, called);
      --sleepers_;
    }
    if (stop_) return;
    ++seen;  // rounds cannot be missed: the next begins only when all workers ended this one
    RunPart(index);
    ended_[static_cast<size_t>(index) - 1].round = seen;
    if (caller_sleeps_) {
      std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

bool ThreadPool::AllEnded() const {
  const uint64_t number = round_.number;
  return std::all_of(ended_.begin(), ended_.end(),
                     [&](const Ended& ended) { return ended.round == number; });
}

void ThreadPool::WakeWorkers() {
  std::lock_guard lock(mutex_);
  wake_.notify_all();
}

void ThreadPool::For(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  const int64_t part = PartSize(count, grain, threads());
  if (part >= count) return body(0, count);
  round_.body = body;
  round_.count = count;
  round_.part = part;
  round_.number.store(round_.number + 1, std::memory_order_release);
  if (sleepers_ > 0) WakeWorkers();
  RunPart(0);
  // A worker that fell asleep as the round began may not have been seen above: the two are put in
  // an order only here, where to wait until the other caches let a line go costs nothing.
  if (!AllEnded() && sleepers_.fetch_add(0) > 0) WakeWorkers();
  if (!SpinUntil([&] { return AllEnded(); })) {
    std::unique_lock lock(mutex_);
    caller_sleeps_ = true;
    done_.wait(lock, [&] { return AllEnded(); });
    caller_sleeps_ = false;
  }
  std::exception_ptr first;
  for (auto& error : errors_) {
    if (error && !first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

void ThreadPool::Together(FunctionRef<void(int)> body) {
  if (abandoned_) {  // before this: some met more often than others
    for (auto* lines : {&met_, &signals_}) {
      for (Meetings& line : *lines) line.number = 0;
    }
    abandoned_ = false;
  }
  For(threads(), 1, [&](int64_t begin, int64_t) {
    try {
      body(static_cast<int>(begin));
    } catch (const Abandoned&) {
    } catch (...) {
      abandoned_ = true;
      throw;
    }
  });
}

void ThreadPool::ForMember(int member, int64_t count, int64_t grain,
                           FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  const int64_t part = PartSize(count, grain, threads());
  const int64_t begin = member * part, end = std::min(count, begin + part);
  if (begin < end) body(begin, end);
  Meet(member);
}

// Hensgen, Finkel and Manber, "Two algorithms for barrier synchronization", 1988: in step s a
// member signals to the one 2^s places on, and waits for the signal from 2^s places back.
void ThreadPool::Meet(int member) {
  const size_t members = met_.size(), self = static_cast<size_t>(member);
  const uint64_t meeting = met_[self].number.load(std::memory_order_relaxed) + 1;
  met_[self].number.store(meeting, std::memory_order_relaxed);
  for (size_t away = 1, first = 0; away < members; away *= 2, first += members) {
    signals_[first + (self + away) % members].number.store(meeting, std::memory_order_release);
    const auto called = [&] { return signals_[first + self].number >= meeting || abandoned_; };
    while (!SpinUntil(called)) {
    }
    if (abandoned_) throw Abandoned();
  }
}

}  // namespace hone
