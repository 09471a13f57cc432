#include "rollout/stop.h"

#include <algorithm>

namespace hone {

bool StopMatcher::Push(std::string_view bytes, std::span<const std::string> stops) {
  tail_ += bytes;
  size_t longest = 1;
  for (const std::string& stop : stops) {
    if (tail_.find(stop) != std::string::npos) return true;
    longest = std::max(longest, stop.size());
  }
  // A match to come can begin at the earliest here.
  if (tail_.size() >= longest) tail_.erase(0, tail_.size() - (longest - 1));
  return false;
}

}  // namespace hone
