// Matrices laid out anew: in panels, pairs of bf16, transposed. Included by matmul_cpu.cpp alone.
#pragma once

#include "kernels/simd.h"
#include "kernels/simd_bf16.h"
#include "kernels/simd_math.h"
#include "kernels/simd_transpose.h"

namespace hone::kernels {
namespace {

// source [t, columns] to panels [t][32], `stride` floats apart; past the columns zeros. Row by row:
// the source is read as it lies.
void PackRows(const float* source, int64_t ld, int64_t t, int64_t columns, float* panels,
              int64_t stride) {
  for (int64_t i = 0; i < t; ++i) {
    const float* row = source + i * ld;
    float* to = panels + i * 32;
    for (int64_t j = 0; j < columns; j += 32, to += stride) {
      Store(to, LoadN(row + j, Smaller(16, columns - j)));
      Store(to + 16, LoadN(row + j + 16, Smaller(16, Larger(0, columns - j - 16))));
    }
  }
}

// A panel [k][32] to words that hold a step in each half; behind an odd last step zeros.
void PackPairs(const float* panel, int64_t k, uint32_t* pairs) {
  for (int64_t i = 0; i < k; i += 2, panel += 64, pairs += 32) {
    for (int half = 0; half < 32; half += 16) {
      StoreHalves(pairs + half, Load(panel + half), i + 1 < k ? Load(panel + 32 + half) : Zero());
    }
  }
}

// source [t, columns] to [columns][stride].
void TransposeRows(const float* source, int64_t ld, int64_t t, int64_t columns, float* to,
                   int64_t stride) {
  for (int64_t i = 0; i < t; i += 16) {
    const int64_t rows = Smaller(16, t - i);
    for (int64_t j = 0; j < columns; j += 16) {
      const int64_t n = Smaller(16, columns - j);
      F32x16 x[16];
      for (int64_t r = 0; r < 16; ++r) {
        const float* from = source + (i + r) * ld + j;
        x[r] = r < rows ? LoadN(from, n) : Zero();
        __builtin_prefetch(from + 16 * ld, 0, 2);
      }
      Transpose(x);
      for (int64_t r = 0; r < n; ++r) {
        StoreN(to + (j + r) * stride + i, x[r], rows);
        __builtin_prefetch(to + (j + r) * stride + i + 16, 1, 2);  // the next 16 rows' line
      }
    }
  }
}

// sums[i] += x[i][0] + x[i][1] + …: 16 rows side by side.
void RowSums(const float* x, int64_t ld, int64_t n, int64_t t, float* sums) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t rows = Smaller(16, n - i);
    F32x16 sum = LoadN(sums + i, rows);
    for (int64_t j = 0; j < t; j += 16) {
      const int64_t columns = Smaller(16, t - j);
      F32x16 block[16];
      for (int64_t r = 0; r < 16; ++r) {
        block[r] = r < rows ? LoadN(x + (i + r) * ld + j, columns) : Zero();
      }
      Transpose(block);
      for (int64_t c = 0; c < columns; ++c) sum = Add(sum, block[c]);
    }
    StoreN(sums + i, sum, rows);
  }
}

}  // namespace
}  // namespace hone::kernels
