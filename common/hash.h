// XXH3, 128 bits: the fingerprint of weights, and the checksum of files. Detects accidents, not
// forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace hone {

struct Hash128 {
  uint64_t high = 0, low = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
  std::string Hex() const;  // 32 lower-case digits, high first
};

Hash128 HashBytes(std::span<const std::byte> bytes);
Hash128 HashBytes(const void* data, size_t size);

// Of bytes that come in parts: the same hash as of all of them at once.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void Update(const void* data, size_t size);
  Hash128 Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of a file's bytes, read a part at a time. Throws FileError.
Hash128 HashFile(const std::filesystem::path& path);
// Parses what Hex() printed; false when the text is not 32 hexadecimal digits.
bool ParseHash(const std::string& text, Hash128* hash);

}  // namespace hone
