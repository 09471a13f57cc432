#include "policy/text/jinja/heap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace hone::jinja {
namespace {
constexpr size_t kBlockBytes = size_t{64} << 10;
}

void Heap::FailSteps() {
  throw Failure(
      fmt::format("the rendering takes more than {} steps: a template must end", kMaxSteps));
}

void Heap::Count(size_t bytes) {
  used_ += bytes;
  if (used_ > kMaxHeapBytes) {
    throw Failure(fmt::format("the rendering takes more than {} MiB of memory for its values",
                              kMaxHeapBytes >> 20));
  }
}

void* Heap::Allocate(size_t count, size_t size) {
  constexpr size_t kAlign = alignof(std::max_align_t);
  if (count > kMaxHeapBytes / size) count = kMaxHeapBytes / size + 1;
  const size_t bytes = (count * size + kAlign - 1) / kAlign * kAlign;
  Count(bytes);
  if (bytes > left_) {
    const size_t block = std::max(bytes, kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block));
    next_ = blocks_.back().get();
    left_ = block;
  }
  std::byte* at = next_;
  next_ += bytes;
  left_ -= bytes;
  return at;
}

std::string_view Heap::Keep(std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(Allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

}  // namespace hone::jinja
