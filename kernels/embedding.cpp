// Copies and sums bound by memory, in plain loops: the same on every instruction set.
#include "kernels/embedding.h"

#include <algorithm>

#include "kernels/parallel.h"

namespace hone::kernels {

void Embed(const Exec& exec, const float* table_VD, const int32_t* tokens_T, int64_t t, int64_t d,
           float* y_TD, float scale) {
  ParallelFor(exec, t, 32, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* from = table_VD + tokens_T[row] * d;
      float* y = y_TD + row * d;
      if (scale == 1) {
        std::copy_n(from, d, y);
      } else {
        for (int64_t i = 0; i < d; ++i) y[i] = scale * from[i];
      }
    }
  });
}

void EmbedBackward(const Exec& exec, const float* dy_TD, const int32_t* tokens_T, int64_t t,
                   int64_t d, float* dtable_VD, float scale) {
  // By columns: a thread adds all rows, in order, to a slice of the table.
  ParallelFor(exec, d, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < t; ++row) {
      float* sum = dtable_VD + tokens_T[row] * d;
      const float* dy = dy_TD + row * d;
      for (int64_t i = begin; i < end; ++i) sum[i] += scale * dy[i];
    }
  });
}

void Add(const Exec& exec, const float* x, const float* y, int64_t n, float* sum) {
  ParallelFor(exec, n, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sum[i] = x[i] + y[i];
  });
}

}  // namespace hone::kernels
