#include "common/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace hone {
namespace {

TEST(ThreadPoolTest, CoversEveryIndexOnceForAnyCountAndGrain) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (int64_t count : {0, 1, 2, 15, 16, 17, 1000}) {
      for (int64_t grain : {1, 4, 16}) {
        std::vector<std::atomic<int>> hits(count);
        pool.For(count, grain, [&](int64_t begin, int64_t end) {
          EXPECT_EQ(begin % grain, 0);
          for (int64_t i = begin; i < end; ++i) ++hits[i];
        });
        for (auto& hit : hits) ASSERT_EQ(hit, 1);
      }
    }
  }
}

TEST(ThreadPoolTest, ManyShortLoopsWithPausesLoseNoWakeUp) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum = 0;
  for (int round = 0; round < 3000; ++round) {
    if (round % 100 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // workers fall asleep
    pool.For(4, 1, [&](int64_t begin, int64_t end) {
      if (round % 300 == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // so does the caller
      sum += end - begin;
    });
  }
  EXPECT_EQ(sum, 3000 * 4);
}

TEST(ThreadPoolTest, RethrowsAndStaysUsable) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.For(9, 1,
                        [](int64_t begin, int64_t) {
                          if (begin > 0) throw std::runtime_error("x");
                        }),
               std::runtime_error);
  std::atomic<int64_t> sum = 0;
  pool.For(9, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 9);
}

}  // namespace
}  // namespace hone
