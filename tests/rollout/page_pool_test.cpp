#include "rollout/page_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace hone {
namespace {

TEST(PagePoolTest, GivesEachPageOnceUntilNoneIsFree) {
  PagePool pool(5);
  std::set<int32_t> pages;
  for (int i = 0; i < 5; ++i) pages.insert(pool.Take());
  EXPECT_EQ(pages, (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.free(), 0);
  EXPECT_THROW(pool.Take(), std::logic_error);
}

TEST(PagePoolTest, ASharedPageIsFreeWhenItsLastHolderLetsGo) {
  PagePool pool(1);
  const int32_t page = pool.Take();
  pool.Share(page);
  pool.Share(page);
  pool.Release(page);
  pool.Release(page);
  EXPECT_EQ(pool.free(), 0);
  pool.Release(page);
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.Take(), page);
}

TEST(PagePoolTest, RefusesPagesThatNobodyHolds) {
  PagePool pool(2);
  EXPECT_THROW(pool.Release(0), std::logic_error);
  EXPECT_THROW(pool.Share(1), std::logic_error);
  EXPECT_THROW(pool.Release(-1), std::logic_error);
  EXPECT_THROW(pool.Release(2), std::logic_error);
  const int32_t page = pool.Take();
  pool.Release(page);
  EXPECT_THROW(pool.Release(page), std::logic_error);
}

}  // namespace
}  // namespace hone
