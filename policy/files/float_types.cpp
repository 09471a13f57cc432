#include "policy/files/float_types.h"

#include <bit>
#include <cstring>

namespace hone {
namespace {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian");

uint16_t Load16(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

template <class One>
void Narrow16(std::span<const float> values, std::byte* bytes, One one) {
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t value = one(values[i]);
    std::memcpy(bytes + 2 * i, &value, sizeof(value));
  }
}

}  // namespace

std::optional<FloatType> ParseFloatType(std::string_view name) {
  for (const FloatType type : {FloatType::kF32, FloatType::kF16, FloatType::kBf16}) {
    if (name == FloatTypeName(type)) return type;
  }
  return std::nullopt;
}

const char* FloatTypeName(FloatType type) {
  return type == FloatType::kF32 ? "F32" : type == FloatType::kF16 ? "F16" : "BF16";
}

size_t FloatTypeBytes(FloatType type) { return type == FloatType::kF32 ? 4 : 2; }

uint16_t NarrowToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  uint32_t half;
  if (magnitude > 0x7F800000) {
    half = 0x7E00;                       // NaN
  } else if (magnitude >= 0x47800000) {  // 2^16 and above
    half = 0x7C00;
  } else if (magnitude < 0x38800000) {  // below 2^-14: a multiple of 2^-24
    // The sum's last place is 2^-24, so the addition does the rounding.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000;
  } else {  // half of the last place less one, one more when odd; the carry may reach infinity
    half = (magnitude - (112u << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

float WidenF16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7FFF) << 13;
  // The exponent's bias is 112 less; multiplied so that subnormal numbers come out normal.
  const uint32_t finite =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * std::bit_cast<float>(239u << 23));
  return std::bit_cast<float>(sign | (magnitude >= 0x0F800000 ? magnitude | 0x7F800000 : finite));
}

void Narrow(FloatType type, std::span<const float> values, std::byte* bytes) {
  if (values.empty()) return;
  if (type == FloatType::kF32) std::memcpy(bytes, values.data(), values.size_bytes());
  if (type == FloatType::kF16) Narrow16(values, bytes, NarrowToF16);
  if (type == FloatType::kBf16) Narrow16(values, bytes, NarrowToBf16);
}

void Widen(FloatType type, const std::byte* bytes, std::span<float> values) {
  if (values.empty()) return;
  if (type == FloatType::kF32) {
    std::memcpy(values.data(), bytes, values.size_bytes());
  } else if (type == FloatType::kF16) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = WidenF16(Load16(bytes + 2 * i));
  } else {
    for (size_t i = 0; i < values.size(); ++i) values[i] = WidenBf16(Load16(bytes + 2 * i));
  }
}

}  // namespace hone
