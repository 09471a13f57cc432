// An owned array aligned to 64 bytes (a cache line, and one AVX-512 register), zero-filled. A large
// one is aligned to 2 MiB and asks the kernel for huge pages: weights and caches are read from end
// to end, and with pages of 4 KiB the misses of the TLB cost more than the reads.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace hone {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr size_t kHugePage = size_t{2} << 20, kHuge = 2 * kHugePage;  // bytes

 public:
  Buffer() = default;
  explicit Buffer(size_t size) { Resize(size); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  // Makes room for `size` elements, all zero; what was held is lost. Keeps the memory when it
  // suffices.
  void Resize(size_t size) {
    Reserve(size);
    if (size > 0) std::memset(data_, 0, size * sizeof(T));
  }

  // As Resize, but the contents are unspecified: for scratch that is written before it is read.
  void Reserve(size_t size) {
    if (size > capacity_) {
      const size_t wanted = size * sizeof(T), alignment = wanted >= kHuge ? kHugePage : 64;
      const size_t bytes = (wanted + alignment - 1) / alignment * alignment;
      void* data = std::aligned_alloc(alignment, bytes);
      if (data == nullptr) throw std::bad_alloc();
      if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);  // advice: may be refused
      std::free(data_);
      data_ = static_cast<T*>(data);
      capacity_ = size;
    }
    size_ = size;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace hone
