// Who holds which page of the cache. Pages are counted by reference, since the samples of a group
// share the pages that their prompt fills.
#pragma once

#include <cstdint>
#include <vector>

namespace hone {

// Thread contract: one thread.
class PagePool {
 public:
  explicit PagePool(int32_t pages);
  int32_t size() const { return static_cast<int32_t>(references_.size()); }
  int32_t free() const { return static_cast<int32_t>(free_.size()); }

  // A page nobody holds, with one reference. Throws std::logic_error when free() is 0.
  int32_t Take();
  // One more holder, or one less, of a page that somebody holds. Throws std::logic_error otherwise.
  void Share(int32_t page);
  void Release(int32_t page);

 private:
  void CheckHeld(int32_t page) const;

  std::vector<int32_t> references_;  // by page
  std::vector<int32_t> free_;        // a stack: the page released last is the warmest
};

}  // namespace hone
