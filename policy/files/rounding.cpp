#include "policy/files/rounding.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "common/error.h"

namespace hone {
namespace {

// Calls round(i, scratch) for each of `count` tensors, on all threads.
template <class Round>
void RoundEach(size_t count, ThreadPool* pool, Round round) {
  std::atomic<size_t> next{0};
  pool->For(pool->threads(), 1, [&](int64_t, int64_t) {
    std::vector<std::byte> bytes;
    for (size_t i; (i = next++) < count;) round(i, &bytes);
  });
}

void CheckFinite(const std::string& name, std::span<const float> row) {
  for (const float value : row) {
    if (!std::isfinite(value))
      throw RunError(fmt::format("tensor {}: holds {}: the policy is broken", name, value));
  }
}

void CheckHeld(const std::string& name, std::span<const float> before, std::span<const float> after,
               const char* type) {
  for (size_t i = 0; i < after.size(); ++i) {
    if (std::isfinite(after[i])) continue;
    throw RunError(
        fmt::format("tensor {}: holds {}, which is too large for {}: choose a wider "
                    "--dtype",
                    name, before[i], type));
  }
}

}  // namespace

Buffer<float> RoundWeights(const WeightsLayout& layout, std::span<const float> data, FloatType type,
                           ThreadPool* pool) {
  Buffer<float> rounded(static_cast<size_t>(layout.size));
  RoundEach(layout.tensors.size(), pool, [&](size_t i, std::vector<std::byte>* bytes) {
    const TensorSpec& spec = layout.tensors[i];
    const auto columns = static_cast<size_t>(spec.shape.back());
    bytes->resize(columns * sizeof(float));  // no type takes more
    for (size_t at = 0; at < static_cast<size_t>(spec.size); at += columns) {
      const auto in = data.subspan(static_cast<size_t>(spec.offset) + at, columns);
      const auto out = rounded.span().subspan(static_cast<size_t>(spec.offset) + at, columns);
      CheckFinite(spec.name, in);
      Narrow(type, in, bytes->data());
      Widen(type, bytes->data(), out);
      CheckHeld(spec.name, in, out, FloatTypeName(type));
    }
  });
  return rounded;
}

Buffer<float> RoundWeights(const WeightsLayout& layout, std::span<const GgufTensor> tensors,
                           ThreadPool* pool) {
  Buffer<float> rounded(static_cast<size_t>(layout.size));
  RoundEach(tensors.size(), pool, [&](size_t i, std::vector<std::byte>* bytes) {
    const GgufTensor& tensor = tensors[i];
    if (tensor.begin < 0) return;
    const auto columns = static_cast<size_t>(tensor.columns());
    bytes->resize(columns * sizeof(float));
    std::vector<float> shifted;
    for (int64_t row = 0; row < tensor.rows(); ++row) {
      const size_t at = tensor.SourceAt(row);
      const auto in = tensor.data.subspan(at, columns);
      const auto out = rounded.span().subspan(static_cast<size_t>(tensor.begin) + at, columns);
      CheckFinite(tensor.name, in);
      EncodeRow(tensor.type, tensor.Shifted(in, &shifted), bytes->data());
      DecodeRow(tensor.type, bytes->data(), out);
      for (float& value : out) value -= tensor.offset;
      CheckHeld(tensor.name, in, out, GgmlTypeName(tensor.type));
    }
  });
  return rounded;
}

}  // namespace hone
