// XXH3, 128 bits: the fingerprint of weights, and the checksum of files. Detects accidents, not
// forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
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
// Of a file's bytes, read a part at a time. Throws FileError.
Hash128 HashFile(const std::filesystem::path& path);
// Parses what Hex() printed; false when the text is not 32 hexadecimal digits.
bool ParseHash(const std::string& text, Hash128* hash);

}  // namespace hone
