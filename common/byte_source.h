// The bytes of a file or of standard input, a part at a time, decompressed as they come. Whether a
// file is gzip or zstd, its first bytes say; its name says nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// What stands in the file is not what it claims to be: cut off, damaged, or followed by something
// else. Whoever knows the line turns it into a FileError.
struct DamagedBytes : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Thread contract: one thread. Memory: a buffer, and the window of the compression (8 MiB of zstd
// as it is written by default, at most 128 MiB), whatever the file holds.
class ByteSource {
 public:
  ByteSource() = default;
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // What comes next: at least `least` bytes (up to kMostPeeked) unless the end comes first; nothing
  // at the end. Valid until the next call. Throws DamagedBytes.
  std::string_view Peek(size_t least = 1);
  static constexpr size_t kMostPeeked = 4096;
  // Takes so many of the bytes that Peek showed.
  void Skip(size_t count);
  uint64_t offset() const { return offset_; }  // bytes taken

 protected:
  // Up to `size` bytes; 0 at the end.
  virtual size_t Read(char* to, size_t size) = 0;

 private:
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  uint64_t offset_ = 0;
};

// Throws FileError when the file cannot be opened.
std::unique_ptr<ByteSource> OpenBytes(const std::filesystem::path& path);
std::unique_ptr<ByteSource> StandardInput();

}  // namespace hone
