#include "policy/text/byte_trie.h"

#include <algorithm>

namespace hone {

bool ByteTrie::Add(std::string_view key, int32_t value) {
  int32_t* link = &roots_[static_cast<uint8_t>(key[0])];
  int32_t node = -1;
  for (size_t i = 0;;) {
    if (*link < 0) {
      *link = static_cast<int32_t>(nodes_.size());
      nodes_.emplace_back();  // moves what `link` points into: not used after
      node = static_cast<int32_t>(nodes_.size()) - 1;
    } else {
      node = *link;
    }
    if (++i == key.size()) break;
    const auto byte = static_cast<uint8_t>(key[i]);
    auto& children = nodes_[static_cast<size_t>(node)].children;
    auto child =
        std::lower_bound(children.begin(), children.end(), std::pair<uint8_t, int32_t>(byte, -1));
    if (child == children.end() || child->first != byte) child = children.insert(child, {byte, -1});
    link = &child->second;
  }
  if (nodes_[static_cast<size_t>(node)].value >= 0) return false;
  nodes_[static_cast<size_t>(node)].value = value;
  return true;
}

int32_t ByteTrie::Child(const Node& node, uint8_t byte) {
  const auto child = std::lower_bound(node.children.begin(), node.children.end(),
                                      std::pair<uint8_t, int32_t>(byte, -1));
  return child != node.children.end() && child->first == byte ? child->second : -1;
}

}  // namespace hone
