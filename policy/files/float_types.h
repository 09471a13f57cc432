// The number types of weight files: fp32 narrowed to 16 bits, and widened again.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hone {

enum class FloatType { kF32, kF16, kBf16 };

// By safetensors' names ("F32", "F16", "BF16"); nothing for another.
std::optional<FloatType> ParseFloatType(std::string_view name);
const char* FloatTypeName(FloatType type);
size_t FloatTypeBytes(FloatType type);  // of one number

// To the nearest number of the type, of two equally near ones the even (IEEE 754). What lies beyond
// the largest becomes infinite; NaN stays NaN.
uint16_t NarrowToF16(float value);
float WidenF16(uint16_t half);
inline uint16_t NarrowToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return static_cast<uint16_t>((nan ? bits | 0x400000 : bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
inline float WidenBf16(uint16_t brain) { return std::bit_cast<float>(uint32_t{brain} << 16); }

// Little-endian; `bytes` and `values` hold the same count and may be unaligned and aligned.
void Narrow(FloatType type, std::span<const float> values, std::byte* bytes);
void Widen(FloatType type, const std::byte* bytes, std::span<float> values);

}  // namespace hone
