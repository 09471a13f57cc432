// Byte-pair encoding of one word: Sennrich, Haddow, Birch, "Neural machine translation of rare
// words with subword units" (ACL 2016).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "policy/text/models/pair_map.h"

namespace hone {

// Symbols of a word as a doubly linked list over their first positions, and the pairs that may
// merge: what Apply works in, kept from word to word.
struct MergeScratch {
  struct Symbol {
    int32_t id;
    int32_t previous;  // -1: none
    int32_t next;      // the word's length: none
    bool merged_away;
  };
  // A pair that was adjacent when it was queued; it may no longer be when it is taken out.
  struct Candidate {
    int32_t rank;
    int32_t position;
    int32_t merged;
  };
  std::vector<Symbol> word;
  std::vector<Candidate> queue;
};

// Thread contract: immutable once filled; Apply is safe from any thread.
class BpeMerges {
 public:
  void Reserve(size_t count) { merges_.Reserve(count); }
  // Lower ranks merge first. A pair given twice keeps the later rank, as Hugging Face's loader
  // does.
  void Add(int32_t left, int32_t right, int32_t rank, int32_t merged) {
    merges_.Set(left, right, {rank, merged});
  }

  // Merges the symbols of a word, the pair of lowest rank first and of those the leftmost, until no
  // pair is left. O(n log n). Throws RunError for 2^31 symbols and more.
  void Apply(MergeScratch* scratch, std::vector<int32_t>* symbols) const;

 private:
  struct Merge {
    int32_t rank, merged;
  };
  PairMap<Merge> merges_;
};

}  // namespace hone
