#include "common/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

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

TEST(ThreadPoolTest, MembersCoverEveryIndexOnceAndGoOnTogether) {
  for (int threads : {1, 2, 3, 5, 8}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> calls(threads);
    pool.Together([&](int member) { ++calls[member]; });
    for (auto& call : calls) EXPECT_EQ(call, 1);
    for (int64_t count : {0, 1, 2, 15, 16, 17, 1000}) {
      for (int64_t grain : {1, 4, 16}) {
        constexpr int kLoops = 20;
        std::vector<std::vector<int>> hits(kLoops, std::vector<int>(count));  // of each loop
        std::atomic<int64_t> early = 0;
        pool.Together([&](int member) {
          for (int loop = 0; loop < kLoops; ++loop) {
            pool.ForMember(member, count, grain, [&](int64_t begin, int64_t end) {
              if (begin % grain != 0) ++early;
              for (int64_t i = begin; i < end; ++i) ++hits[loop][i];
            });
            for (const int hit : hits[loop]) early += hit != 1;  // of another member's too
          }
        });
        EXPECT_EQ(early, 0) << threads << " threads, " << count << " by " << grain;
      }
    }
  }
}

TEST(ThreadPoolTest, AFailedMemberEndsTheOthersAndThePoolStaysUsable) {
  for (int threads : {2, 3, 5}) {
    ThreadPool pool(threads);
    for (int failed = 0; failed < threads; ++failed) {
      for (const bool in_loop : {false, true}) {
        std::atomic<int> went_on = 0;
        EXPECT_THROW(pool.Together([&](int member) {
          for (int loop = 0; loop < 3; ++loop) {
            pool.ForMember(member, threads, 1, [&](int64_t, int64_t) {
              if (in_loop && loop == 1 && member == failed) throw std::runtime_error("x");
            });
            if (!in_loop && loop == 1 && member == failed) throw std::runtime_error("x");
          }
          ++went_on;
        }),
                     std::runtime_error);
        EXPECT_EQ(went_on, 0);
        std::atomic<int64_t> sum = 0;
        pool.For(9, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
        pool.Together([&](int member) {
          for (int loop = 0; loop < 4; ++loop) {
            pool.ForMember(member, 9, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
          }
        });
        EXPECT_EQ(sum, 9 * 5);
      }
    }
  }
}

}  // namespace
}  // namespace hone
