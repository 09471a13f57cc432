#include "policy/text/models/bpe_merges.h"

#include <algorithm>
#include <tuple>

#include "common/error.h"

namespace hone {
namespace {

using Symbol = MergeScratch::Symbol;
using Candidate = MergeScratch::Candidate;

// For std's heaps, whose first element is the largest.
bool MergesLater(const Candidate& a, const Candidate& b) {
  return std::tie(a.rank, a.position) > std::tie(b.rank, b.position);
}

}  // namespace

void BpeMerges::Apply(MergeScratch* scratch, std::vector<int32_t>* symbols) const {
  if (symbols->size() < 2 || merges_.size() == 0) return;
  if (symbols->size() > INT32_MAX) throw RunError("a word of 2^31 characters cannot be tokenized");
  const auto size = static_cast<int32_t>(symbols->size());
  // Not a structured binding, which C++20 does not let every compiler capture.
  auto& word = scratch->word;
  auto& queue = scratch->queue;
  word.resize(symbols->size());
  queue.clear();
  const auto at = [&](int32_t position) -> Symbol& { return word[static_cast<size_t>(position)]; };
  for (int32_t i = 0; i < size; ++i)
    at(i) = {(*symbols)[static_cast<size_t>(i)], i - 1, i + 1, false};
  const auto enqueue = [&](int32_t left, int32_t right) {
    if (left < 0 || right >= size) return false;
    const Merge* merge = merges_.Get(at(left).id, at(right).id);
    if (merge != nullptr) queue.push_back({merge->rank, left, merge->merged});
    return merge != nullptr;
  };
  for (int32_t i = 0; i + 1 < size; ++i) enqueue(i, i + 1);
  std::make_heap(queue.begin(), queue.end(), MergesLater);
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), MergesLater);
    const Candidate top = queue.back();
    queue.pop_back();
    Symbol& left = at(top.position);
    if (left.merged_away || left.next >= size) continue;
    Symbol& right = at(left.next);
    // Stale entries are told by what they would make, as Hugging Face tells them: another pair that
    // makes the same token merges at the stale entry's rank.
    const Merge* now = merges_.Get(left.id, right.id);
    if (now == nullptr || now->merged != top.merged) continue;
    left.id = top.merged;
    left.next = right.next;
    right.merged_away = true;
    if (left.next < size) at(left.next).previous = top.position;
    if (enqueue(left.previous, top.position))
      std::push_heap(queue.begin(), queue.end(), MergesLater);
    if (enqueue(top.position, left.next)) std::push_heap(queue.begin(), queue.end(), MergesLater);
  }
  symbols->clear();
  for (const Symbol& symbol : word) {
    if (!symbol.merged_away) symbols->push_back(symbol.id);
  }
}

}  // namespace hone
