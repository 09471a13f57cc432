// A set of strings in which those that a text holds from a place on are found together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace hone {

// Thread contract: immutable once filled; any thread may look things up.
class ByteTrie {
 public:
  ByteTrie() { roots_.fill(-1); }
  // A key is not empty; a value is at least 0. False, and nothing changes, when the key is there.
  bool Add(std::string_view key, int32_t value);
  bool MayBeginWith(uint8_t byte) const { return roots_[byte] >= 0; }
  // Calls visit(end, value) for each key that is text[begin, end), shortest first.
  template <class Visit>
  void ForEachAt(std::string_view text, size_t begin, Visit visit) const {
    int32_t node = roots_[static_cast<uint8_t>(text[begin])];
    for (size_t at = begin + 1; node >= 0; ++at) {
      const Node& here = nodes_[static_cast<size_t>(node)];
      if (here.value >= 0) visit(at, here.value);
      if (at == text.size()) return;
      node = Child(here, static_cast<uint8_t>(text[at]));
    }
  }

 private:
  struct Node {
    std::vector<std::pair<uint8_t, int32_t>> children;  // by byte, sorted
    int32_t value = -1;
  };
  static int32_t Child(const Node& node, uint8_t byte);

  std::vector<Node> nodes_;
  std::array<int32_t, 256> roots_;  // node of a first byte, -1: none
};

}  // namespace hone
