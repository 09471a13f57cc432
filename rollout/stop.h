// Stop strings, searched for as the bytes of a completion arrive. On bytes, not on decoded text: a
// token may end in the middle of a character.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hone {

// What one completion needs to remember between tokens: at most the bytes of the longest stop
// string.
class StopMatcher {
 public:
  // True when the bytes so far contain one of the strings; bytes of earlier calls count. `stops` is
  // the same at each call, and none of it is empty.
  bool Push(std::string_view bytes, std::span<const std::string> stops);

 private:
  std::string tail_;
};

}  // namespace hone
