// The contract of rope.h in plain loops.
#include <cmath>

#include "kernels/rope.h"

namespace hone::kernels::reference {

void Rope(float* x, int64_t ld, int64_t t, int64_t heads, const int32_t* positions_T,
          const RopeTable& table, bool inverse) {
  const int64_t half = table.rotary_dim / 2;
  for (int64_t row = 0; row < t; ++row) {
    for (int64_t head = 0; head < heads; ++head) {
      float* v = x + row * ld + head * table.head_dim;
      for (int64_t i = 0; i < half; ++i) {
        const float c = table.cos_PH[positions_T[row] * half + i];
        const float sine = table.sin_PH[positions_T[row] * half + i], s = inverse ? -sine : sine;
        const float x1 = v[i], x2 = v[half + i];
        v[i] = std::fma(x1, c, -(x2 * s));
        v[half + i] = std::fma(x2, c, x1 * s);
      }
    }
  }
}

}  // namespace hone::kernels::reference
