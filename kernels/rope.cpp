#include "kernels/rope.h"

#include "common/deterministic_math.h"
#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

RopeTable MakeRopeTable(int64_t head_dim, int64_t positions,
                        std::span<const float> inverse_frequencies, float factor) {
  const auto half = static_cast<int64_t>(inverse_frequencies.size());
  RopeTable table;
  table.head_dim = head_dim;
  table.rotary_dim = 2 * half;
  table.positions = positions;
  table.cos_PH.Resize(positions * half);
  table.sin_PH.Resize(positions * half);
  for (int64_t i = 0; i < half; ++i) {
    for (int64_t p = 0; p < positions; ++p) {
      const float angle = static_cast<float>(p) * inverse_frequencies[i];
      double sine, cosine;
      SinCos(angle, &sine, &cosine);
      table.cos_PH[p * half + i] = static_cast<float>(cosine) * factor;
      table.sin_PH[p * half + i] = static_cast<float>(sine) * factor;
    }
  }
  return table;
}

void Rope(const Exec& exec, float* x, int64_t ld, int64_t t, int64_t heads,
          const int32_t* positions_T, const RopeTable& table, bool inverse) {
  const RopeKernels& kernels = HONE_ISA_KERNELS(exec.isa, kRope);
  const int64_t half = table.rotary_dim / 2;
  ParallelFor(exec, t, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t offset = positions_T[row] * half;
      for (int64_t head = 0; head < heads; ++head) {
        kernels.rotate(x + row * ld + head * table.head_dim, table.cos_PH.data() + offset,
                       table.sin_PH.data() + offset, half, inverse);
      }
    }
  });
}

}  // namespace hone::kernels
