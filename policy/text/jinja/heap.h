// The memory of one rendering, and how much it may use and do. Templates come from whoever
// published the model, so both are bounded: beyond a bound the rendering fails, however the
// template gets there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hone::jinja {

inline constexpr size_t kMaxSourceBytes = size_t{256} << 10;
// Blocks and expressions inside of each other in the source.
inline constexpr int kMaxNesting = 100;
// The same, for one expression: a chain such as a + b + c nests to the left.
inline constexpr int kMaxExpressionDepth = 300;
// Evaluations inside of each other at run time: a macro that calls itself ends here.
inline constexpr int kMaxDepth = 600;
// Lists and mappings inside of each other.
inline constexpr int kMaxValueDepth = 200;
// One step is a node evaluated, an item visited, or 64 bytes of text read.
inline constexpr uint64_t kMaxSteps = 20'000'000;
// All values made by one rendering together, and its text.
inline constexpr size_t kMaxHeapBytes = size_t{256} << 20;
inline constexpr size_t kMaxOutputBytes = size_t{64} << 20;

// What went wrong; the interpreter adds the place in the template.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Values live until the rendering ends and are freed together, so references between them may form
// any graph and freeing never recurses. Thread contract: one thread.
class Heap {
 public:
  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void Step(uint64_t steps = 1) {
    steps_ += steps;
    if (steps_ > kMaxSteps) FailSteps();
  }
  void Read(size_t bytes) { Step(1 + bytes / 64); }

  // Memory outside of the heap that grows with the rendering: its texts.
  void Count(size_t bytes);

  // Copies a text.
  std::string_view Keep(std::string_view text);
  // `size` values of a type that needs no destructor.
  template <class T>
  std::span<T> Array(size_t size) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* first = static_cast<T*>(Allocate(size, sizeof(T)));
    for (size_t i = 0; i < size; ++i) new (first + i) T();
    return {first, size};
  }
  template <class T>
  std::span<const T> Keep(const std::vector<T>& values) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* first = static_cast<T*>(Allocate(values.size(), sizeof(T)));
    std::uninitialized_copy(values.begin(), values.end(), first);
    return {first, values.size()};
  }
  template <class T>
  T* New(const T& value = {}) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (Allocate(1, sizeof(T))) T(value);
  }

 private:
  [[noreturn]] static void FailSteps();
  void* Allocate(size_t count, size_t size);

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* next_ = nullptr;
  size_t left_ = 0;
  size_t used_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace hone::jinja
