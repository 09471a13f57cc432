// Ids of words that were met before. Texts repeat few words, and merging is slow beside a look-up.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace hone {

// A fixed number of short words; a new one takes the place of another. Not for more than one
// thread.
class WordCache {
 public:
  WordCache() : entries_(kEntries) {}

  // Appends the ids of a word that is here. False when it is not.
  bool Find(std::string_view word, std::vector<int32_t>* ids) const {
    if (word.size() > kLongestWord) return false;
    const Entry& entry = entries_[Slot(word)];
    if (entry.size != word.size() || std::memcmp(entry.word.data(), word.data(), word.size()) != 0)
      return false;
    ids->insert(ids->end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return true;
  }

  // An empty word, or one that is too long or has too many ids, is not kept.
  void Keep(std::string_view word, std::span<const int32_t> ids) {
    if (word.empty() || word.size() > kLongestWord || ids.size() > kMostIds) return;
    Entry& entry = entries_[Slot(word)];
    entry.size = static_cast<uint8_t>(word.size());
    entry.count = static_cast<uint8_t>(ids.size());
    std::copy(word.begin(), word.end(), entry.word.begin());
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

 private:
  static constexpr size_t kEntries = 1 << 15;
  static constexpr size_t kLongestWord = 30, kMostIds = 8;  // an entry is a line of the cache
  struct alignas(64) Entry {
    std::array<int32_t, kMostIds> ids;
    uint8_t size = 0, count = 0;
    std::array<char, kLongestWord> word;
  };

  static size_t Slot(std::string_view word) {
    uint64_t hash = word.size() * 0x9E3779B97F4A7C15u;
    for (size_t at = 0; at < word.size(); at += 8) {
      uint64_t part = 0;
      std::memcpy(&part, word.data() + at, std::min<size_t>(8, word.size() - at));
      hash = (hash ^ part) * 0xD6E8FEB86659FD93u;
      hash ^= hash >> 32;
    }
    return hash % kEntries;
  }

  std::vector<Entry> entries_;
};

// What calls write to while they work, lent to one call at a time and kept for the next. Any
// thread.
template <class Scratch>
class ScratchPool {
 public:
  std::unique_ptr<Scratch> Take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Scratch>();
    std::unique_ptr<Scratch> scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void GiveBack(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

}  // namespace hone
