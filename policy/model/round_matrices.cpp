#include "policy/model/round_matrices.h"

#include <algorithm>

#include "policy/files/float_types.h"

namespace hone {

void RoundMatrices(const WeightsLayout& layout, std::span<const float> data, ThreadPool* pool,
                   std::span<float> rounded) {
  pool->For(layout.size, 4096, [&](int64_t begin, int64_t end) {
    for (const TensorSpec& tensor : layout.tensors) {
      const int64_t first = std::max(begin, tensor.offset),
                    last = std::min(end, tensor.offset + tensor.size);
      const float* in = data.data();
      float* out = rounded.data();
      if (tensor.shape.size() > 1) {
        for (int64_t i = first; i < last; ++i) out[i] = WidenBf16(NarrowToBf16(in[i]));
      } else {
        for (int64_t i = first; i < last; ++i) out[i] = in[i];
      }
    }
  });
}

}  // namespace hone
