// The numbers of the GGUF format that its writer and its reader share.
#pragma once

#include <cstdint>

namespace hone {

constexpr uint32_t kGgufMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kGgufVersion = 3;
constexpr uint64_t kGgufAlignment = 32;  // of the data and of each tensor; the format's default

enum class GgufType : uint32_t {
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9
};

inline uint64_t AlignUp(uint64_t bytes) {
  return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

}  // namespace hone
