#include "rollout/page_pool.h"

#include <fmt/format.h>

#include <stdexcept>

namespace hone {

PagePool::PagePool(int32_t pages) : references_(static_cast<size_t>(pages), 0) {
  free_.reserve(references_.size());
  for (int32_t page = pages - 1; page >= 0; --page) free_.push_back(page);
}

int32_t PagePool::Take() {
  if (free_.empty()) throw std::logic_error("PagePool::Take: no page is free");
  const int32_t page = free_.back();
  free_.pop_back();
  references_[page] = 1;
  return page;
}

void PagePool::Share(int32_t page) {
  CheckHeld(page);
  ++references_[page];
}

void PagePool::Release(int32_t page) {
  CheckHeld(page);
  if (--references_[page] == 0) free_.push_back(page);
}

void PagePool::CheckHeld(int32_t page) const {
  if (page < 0 || page >= size() || references_[page] <= 0) {
    throw std::logic_error(fmt::format("PagePool: page {} of {} is held by nobody", page, size()));
  }
}

}  // namespace hone
