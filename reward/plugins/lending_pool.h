// Things that are costly to make and serve one borrower at a time: processes, connections.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace hone {

// Thread contract: safe from any thread.
template <class T>
class LendingPool {
 public:
  explicit LendingPool(int limit) : limit_(limit) {}

  // One that was given back, or a T{} for the borrower to make something of; waits while `limit`
  // are lent.
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

  // A T{} in the place of one that broke.
  void Return(T thing) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(thing));
    free_.notify_one();
  }

 private:
  const int limit_;
  std::mutex mutex_;  // of the rest
  std::condition_variable free_;
  std::vector<T> idle_;
  int made_ = 0;
};

}  // namespace hone
