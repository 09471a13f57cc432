#include "policy/files/rounding.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "common/error.h"

namespace hone {
namespace {

// Calls round_row(tensor, element of the layout, out, scratch) for each row of each tensor.
template <class RoundRow>
Buffer<float> RoundRows(const WeightsLayout& layout, ThreadPool* pool, RoundRow round_row) {
  Buffer<float> rounded(static_cast<size_t>(layout.size));
  std::atomic<size_t> next{0};
  pool->For(pool->threads(), 1, [&](int64_t, int64_t) {
    std::vector<std::byte> bytes;
    for (size_t i; (i = next++) < layout.tensors.size();) {
      const TensorSpec& spec = layout.tensors[i];
      const auto columns = static_cast<size_t>(spec.shape.back());
      bytes.resize(columns * sizeof(float));  // no type takes more
      for (size_t at = 0; at < static_cast<size_t>(spec.size); at += columns) {
        const auto out = rounded.span().subspan(static_cast<size_t>(spec.offset) + at, columns);
        round_row(i, static_cast<size_t>(spec.offset) + at, out, bytes.data());
      }
    }
  });
  return rounded;
}

void CheckFinite(const TensorSpec& spec, std::span<const float> row) {
  for (const float value : row) {
    if (!std::isfinite(value))
      throw RunError(fmt::format("tensor {}: holds {}: the policy is broken", spec.name, value));
  }
}

void CheckHeld(const TensorSpec& spec, std::span<const float> before, std::span<const float> after,
               const char* type) {
  for (size_t i = 0; i < after.size(); ++i) {
    if (std::isfinite(after[i])) continue;
    throw RunError(
        fmt::format("tensor {}: holds {}, which is too large for {}: choose a wider "
                    "--dtype",
                    spec.name, before[i], type));
  }
}

}  // namespace

Buffer<float> RoundWeights(const WeightsLayout& layout, std::span<const float> data, FloatType type,
                           ThreadPool* pool) {
  return RoundRows(layout, pool, [&](size_t i, size_t at, std::span<float> out, std::byte* bytes) {
    const auto in = data.subspan(at, out.size());
    CheckFinite(layout.tensors[i], in);
    Narrow(type, in, bytes);
    Widen(type, bytes, out);
    CheckHeld(layout.tensors[i], in, out, FloatTypeName(type));
  });
}

Buffer<float> RoundWeights(const WeightsLayout& layout, std::span<const GgufTensor> tensors,
                           ThreadPool* pool) {
  return RoundRows(layout, pool, [&](size_t i, size_t at, std::span<float> out, std::byte* bytes) {
    std::vector<float> shifted;
    const GgufTensor& tensor = tensors[i];
    const auto in =
        tensor.data.subspan(at - static_cast<size_t>(layout.tensors[i].offset), out.size());
    CheckFinite(layout.tensors[i], in);
    EncodeRow(tensor.type, tensor.Shifted(in, &shifted), bytes);
    DecodeRow(tensor.type, bytes, out);
    for (float& value : out) value -= tensor.offset;
    CheckHeld(layout.tensors[i], in, out, GgmlTypeName(tensor.type));
  });
}

}  // namespace hone
