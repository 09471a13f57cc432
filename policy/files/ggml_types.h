// The number types of GGUF files: how a row of fp32 is encoded in each, and decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hone {

// With ggml's numbers.
enum class GgmlType : uint32_t { kF32 = 0, kF16 = 1, kQ8_0 = 8, kBf16 = 30 };

// By the names of `hone export --dtype`: f32, f16, bf16, q8_0; nothing for another.
std::optional<GgmlType> ParseGgmlType(std::string_view name);
const char* GgmlTypeName(GgmlType type);  // "F32", "F16", "Q8_0", "BF16"
bool IsGgmlType(uint32_t number);         // one of the above

// Numbers that are encoded together: a row is a multiple of it.
int64_t GgmlBlock(GgmlType type);
// Bytes of a row of `count` numbers, a multiple of the block.
size_t GgmlRowBytes(GgmlType type, int64_t count);

// F16 and BF16 round to nearest even. Q8_0: each 32 numbers share an F16 scale, the largest
// magnitude / 127, and are whole multiples of it, rounded half away from zero (ggml's
// quantize_row_q8_0_ref); numbers that are not finite are lost in it. What is too large for a type
// becomes infinite: see by decoding.
void EncodeRow(GgmlType type, std::span<const float> row, std::byte* bytes);
void DecodeRow(GgmlType type, const std::byte* bytes, std::span<float> row);

}  // namespace hone
