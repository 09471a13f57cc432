// A hash table by pairs of ids, with the entries in one array: the look-up that merging waits for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hone {

template <class Value>
class PairMap {
 public:
  void Reserve(size_t count) {
    while (slots_.size() < 2 * count) Grow();
  }

  // A pair given twice keeps the later value.
  void Set(int32_t left, int32_t right, Value value) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    Slot& slot = slots_[Find(Key(left, right))];
    if (slot.key == kEmpty) ++size_;
    slot = {Key(left, right), value};
  }

  // The value of a pair, a new one of Value{} where there is none; valid until the next pair is
  // new.
  Value* FindOrAdd(int32_t left, int32_t right) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    Slot& slot = slots_[Find(Key(left, right))];
    if (slot.key == kEmpty) {
      ++size_;
      slot = {Key(left, right), Value{}};
    }
    return &slot.value;
  }

  const Value* Get(int32_t left, int32_t right) const {
    if (size_ == 0) return nullptr;
    const Slot& slot = slots_[Find(Key(left, right))];
    return slot.key == kEmpty ? nullptr : &slot.value;
  }

  size_t size() const { return size_; }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // no pair: ids are not negative
  struct Slot {
    uint64_t key = kEmpty;
    Value value{};
  };

  static uint64_t Key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  size_t Find(uint64_t key) const {
    uint64_t hash = key * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
    size_t at = hash & (slots_.size() - 1);
    while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void Grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : 2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.key != kEmpty) slots_[Find(slot.key)] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them full
  size_t size_ = 0;
};

}  // namespace hone
