// The number types of weight files: fp32 narrowed to 16 bits, and widened again.
#pragma once

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
uint16_t NarrowToBf16(float value);
float WidenF16(uint16_t half);
float WidenBf16(uint16_t brain);

// Little-endian; `bytes` and `values` hold the same count and may be unaligned and aligned.
void Narrow(FloatType type, std::span<const float> values, std::byte* bytes);
void Widen(FloatType type, const std::byte* bytes, std::span<float> values);

}  // namespace hone
