#include "policy/model/round_matrices.h"

#include <algorithm>
#include <array>

namespace hone {
namespace {

constexpr int64_t kChunk = 4096;  // numbers that stay in the first-level cache on their way

void Round(FloatType type, std::span<const float> in, std::span<float> out) {
  std::array<std::byte, kChunk * sizeof(float)> bytes;  // no type takes more
  for (size_t at = 0; at < in.size(); at += kChunk) {
    const size_t count = std::min<size_t>(kChunk, in.size() - at);
    Narrow(type, in.subspan(at, count), bytes.data());
    Widen(type, bytes.data(), out.subspan(at, count));
  }
}

}  // namespace

void RoundMatrices(const WeightsLayout& layout, std::span<const float> data, FloatType type,
                   ThreadPool* pool, std::span<float> rounded) {
  pool->For(layout.size, kChunk, [&](int64_t begin, int64_t end) {
    for (const TensorSpec& tensor : layout.tensors) {
      const int64_t first = std::max(begin, tensor.offset),
                    last = std::min(end, tensor.offset + tensor.size);
      if (first >= last) continue;
      const auto at = static_cast<size_t>(first), count = static_cast<size_t>(last - first);
      const auto in = data.subspan(at, count);
      if (tensor.shape.size() > 1) {
        Round(type, in, rounded.subspan(at, count));
      } else {
        std::copy(in.begin(), in.end(), rounded.begin() + first);
      }
    }
  });
}

}  // namespace hone
