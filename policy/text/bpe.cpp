#include "policy/text/bpe.h"

#include <functional>
#include <queue>
#include <tuple>

namespace hone {
namespace {

// Symbols of a word as a doubly linked list over their first positions.
struct Symbol {
  int32_t id;
  int64_t previous;  // -1: none
  int64_t next;      // the word's length: none
  bool merged_away = false;
};

// A pair that was adjacent when it was queued; it may no longer be when it is taken out.
struct Candidate {
  int32_t rank;
  int64_t position;
  int32_t merged;
  friend bool operator>(const Candidate& a, const Candidate& b) {
    return std::tie(a.rank, a.position) > std::tie(b.rank, b.position);
  }
};

uint64_t Key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

void BpeMerges::Add(int32_t left, int32_t right, int32_t rank, int32_t merged) {
  merges_[Key(left, right)] = {rank, merged};
}

const BpeMerges::Merge* BpeMerges::Find(int32_t left, int32_t right) const {
  const auto found = merges_.find(Key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeMerges::Apply(std::vector<int32_t>* symbols) const {
  const auto size = static_cast<int64_t>(symbols->size());
  if (size < 2 || merges_.empty()) return;
  std::vector<Symbol> word(symbols->size());
  std::vector<Candidate> first;
  for (int64_t i = 0; i < size; ++i) {
    const int32_t id = (*symbols)[static_cast<size_t>(i)];
    word[static_cast<size_t>(i)] = {id, i - 1, i + 1};
    if (i + 1 == size) break;
    const Merge* merge = Find(id, (*symbols)[static_cast<size_t>(i + 1)]);
    if (merge != nullptr) first.push_back({merge->rank, i, merge->merged});
  }
  std::priority_queue queue(std::greater<Candidate>(), std::move(first));
  const auto at = [&](int64_t position) -> Symbol& { return word[static_cast<size_t>(position)]; };
  const auto enqueue = [&](int64_t left, int64_t right) {
    if (left < 0 || right >= size) return;
    const Merge* merge = Find(at(left).id, at(right).id);
    if (merge != nullptr) queue.push({merge->rank, left, merge->merged});
  };
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = at(top.position);
    if (left.merged_away || left.next >= size) continue;
    Symbol& right = at(left.next);
    // Stale entries are told by what they would make, as Hugging Face tells them: another pair that
    // makes the same token merges at the stale entry's rank.
    const Merge* now = Find(left.id, right.id);
    if (now == nullptr || now->merged != top.merged) continue;
    left.id = top.merged;
    left.next = right.next;
    right.merged_away = true;
    if (left.next < size) at(left.next).previous = top.position;
    enqueue(left.previous, top.position);
    enqueue(top.position, left.next);
  }
  symbols->clear();
  for (const Symbol& symbol : word) {
    if (!symbol.merged_away) symbols->push_back(symbol.id);
  }
}

}  // namespace hone
