#include "policy/files/ggml_types.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "policy/files/float_types.h"

namespace hone {
namespace {

constexpr int64_t kQ8Block = 32;
constexpr size_t kQ8Bytes = sizeof(uint16_t) + kQ8Block;

struct Known {
  GgmlType type;
  const char *flag, *name;
};
constexpr std::array kKnown = {
    Known{GgmlType::kF32, "f32", "F32"}, Known{GgmlType::kF16, "f16", "F16"},
    Known{GgmlType::kBf16, "bf16", "BF16"}, Known{GgmlType::kQ8_0, "q8_0", "Q8_0"}};

FloatType AsFloatType(GgmlType type) {
  return type == GgmlType::kF32   ? FloatType::kF32
         : type == GgmlType::kF16 ? FloatType::kF16
                                  : FloatType::kBf16;
}

void EncodeQ8(std::span<const float> block, std::byte* bytes) {
  float largest = 0;
  for (const float value : block) largest = std::max(largest, std::fabs(value));
  const float scale = largest / 127.0f;
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  const uint16_t half = NarrowToF16(scale);
  std::memcpy(bytes, &half, sizeof(half));
  for (size_t i = 0; i < block.size(); ++i) {
    const float multiple = std::clamp(std::round(block[i] * inverse), -127.0f, 127.0f);
    bytes[sizeof(half) + i] =
        static_cast<std::byte>(std::isnan(multiple) ? int8_t{0} : static_cast<int8_t>(multiple));
  }
}

void DecodeQ8(const std::byte* bytes, std::span<float> block) {
  uint16_t half;
  std::memcpy(&half, bytes, sizeof(half));
  const float scale = WidenF16(half);
  for (size_t i = 0; i < block.size(); ++i)
    block[i] = static_cast<float>(static_cast<int8_t>(bytes[sizeof(half) + i])) * scale;
}

}  // namespace

std::optional<GgmlType> ParseGgmlType(std::string_view name) {
  for (const Known& known : kKnown) {
    if (name == known.flag) return known.type;
  }
  return std::nullopt;
}

const char* GgmlTypeName(GgmlType type) {
  return std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return k.type == type; })
      ->name;
}

bool IsGgmlType(uint32_t number) {
  return std::any_of(kKnown.begin(), kKnown.end(),
                     [&](const Known& k) { return static_cast<uint32_t>(k.type) == number; });
}

int64_t GgmlBlock(GgmlType type) { return type == GgmlType::kQ8_0 ? kQ8Block : 1; }

size_t GgmlRowBytes(GgmlType type, int64_t count) {
  if (type == GgmlType::kQ8_0) return static_cast<size_t>(count / kQ8Block) * kQ8Bytes;
  return static_cast<size_t>(count) * FloatTypeBytes(AsFloatType(type));
}

void EncodeRow(GgmlType type, std::span<const float> row, std::byte* bytes) {
  if (type != GgmlType::kQ8_0) return Narrow(AsFloatType(type), row, bytes);
  for (size_t i = 0; i < row.size(); i += kQ8Block, bytes += kQ8Bytes)
    EncodeQ8(row.subspan(i, kQ8Block), bytes);
}

void DecodeRow(GgmlType type, const std::byte* bytes, std::span<float> row) {
  if (type != GgmlType::kQ8_0) return Widen(AsFloatType(type), bytes, row);
  for (size_t i = 0; i < row.size(); i += kQ8Block, bytes += kQ8Bytes)
    DecodeQ8(bytes, row.subspan(i, kQ8Block));
}

}  // namespace hone
