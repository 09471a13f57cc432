#include "common/hash.h"

#include <fmt/format.h>
#define XXH_STATIC_LINKING_ONLY  // the state of a stream as a complete type
#include <xxhash.h>

#include <charconv>
#include <fstream>
#include <vector>

#include "common/error.h"

namespace hone {

std::string Hash128::Hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Hash128 HashBytes(const void* data, size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(data, size);
  return {hash.high64, hash.low64};
}

Hash128 HashBytes(std::span<const std::byte> bytes) {
  return HashBytes(bytes.data(), bytes.size());
}

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
Hasher::~Hasher() = default;

void Hasher::Update(const void* data, size_t size) {
  XXH3_128bits_update(&state_->xxh, data, size);
}

Hash128 Hasher::Digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return {hash.high64, hash.low64};
}

Hash128 HashFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path.string(), "", "cannot be opened");
  Hasher hasher;
  std::vector<char> part(size_t{1} << 20);
  while (file) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    hasher.Update(part.data(), static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) throw FileError(path.string(), "", "cannot be read");
  return hasher.Digest();
}

bool ParseHash(const std::string& text, Hash128* hash) {
  if (text.size() != 32) return false;
  const char* begin = text.data();
  const auto high = std::from_chars(begin, begin + 16, hash->high, 16);
  const auto low = std::from_chars(begin + 16, begin + 32, hash->low, 16);
  return high.ec == std::errc() && high.ptr == begin + 16 && low.ec == std::errc() &&
         low.ptr == begin + 32;
}

}  // namespace hone
