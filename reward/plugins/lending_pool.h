// Things that are costly to make and serve one borrower at a time: processes, connections.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "reward/scoring_watch.h"

namespace hone {

// Thread contract: safe from any thread.
template <class T>
class LendingPool {
 public:
  explicit LendingPool(int limit) : limit_(limit) {}

  // One that is ready before anybody asks.
  void Add(T thing) {
    const std::lock_guard lock(mutex_);
    ++made_;
    idle_.push_back(std::move(thing));
  }

  // body(thing) with one that was there, or a T{} for the body to make something of; while `limit`
  // are lent it waits, as `watch` is told. What the body throws breaks the thing: a T{} takes its
  // place.
  template <class Body>
  void Lend(ScoringWatch& watch, const Body& body) {
    watch.Wait();
    T thing = Borrow();
    watch.GoOn();
    try {
      body(thing);
    } catch (...) {
      Return({});
      throw;
    }
    Return(std::move(thing));
  }

 private:
  T Borrow() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return !idle_.empty() || made_ < limit_; });
    if (idle_.empty()) {
      ++made_;
      return {};
    }
    T thing = std::move(idle_.back());
    idle_.pop_back();
    return thing;
  }
  void Return(T thing) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(thing));
    free_.notify_one();
  }

  const int limit_;
  std::mutex mutex_;  // of the rest
  std::condition_variable free_;
  std::vector<T> idle_;
  int made_ = 0;
};

}  // namespace hone
