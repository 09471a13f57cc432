// Byte-pair encoding of one word: Sennrich, Haddow, Birch, "Neural machine translation of rare
// words with subword units" (ACL 2016).
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace hone {

// Thread contract: immutable once filled; Apply is safe from any thread.
class BpeMerges {
 public:
  void Reserve(size_t count) { merges_.reserve(count); }
  // Lower ranks merge first. A pair given twice keeps the later rank, as Hugging Face's loader
  // does.
  void Add(int32_t left, int32_t right, int32_t rank, int32_t merged);

  // Merges the symbols of a word, the pair of lowest rank first and of those the leftmost, until no
  // pair is left. O(n log n).
  void Apply(std::vector<int32_t>* symbols) const;

 private:
  struct Merge {
    int32_t rank;
    int32_t merged;
  };
  const Merge* Find(int32_t left, int32_t right) const;

  std::unordered_map<uint64_t, Merge> merges_;  // by left << 32 | right
};

}  // namespace hone
