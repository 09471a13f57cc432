// The micro-kernel of both matrix products: rows x 16-column vectors of accumulators in registers,
// one chain of fma over the reduced index for each output. Included by matmul_cpu.cpp alone.
#pragma once

#include "kernels/simd.h"

namespace hone::kernels {
namespace {

// How many rows and 16-column vectors of accumulators fit the registers of the set.
#if defined(__AVX512F__)
constexpr int kTileRows = 12, kTileVectors = 2;
constexpr int VectorsFor(int rows) { return rows <= 2 ? 8 : rows <= 6 ? 4 : 2; }
#elif defined(__AVX2__)
constexpr int kTileRows = 6, kTileVectors = 1;
constexpr int VectorsFor(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }
#else
constexpr int kTileRows = 4, kTileVectors = 1;
constexpr int VectorsFor(int) { return 1; }
#endif

constexpr int kTileColumns = kTileVectors * 16;

struct Tile {
  const float* a;  // element (row, i) at a[row * lda + i * step]
  int64_t lda, step;
  const float* b;  // element (i, column) of vector v at b[offset(v) + i * kWidth + column]
  int64_t panel_stride;
  int64_t k;
  float* c;
  int64_t ldc;
  int64_t columns;               // columns of c that exist, from the first vector's first
  const float* bias;             // or null; added last
  bool from_c;                   // the chains start from c, else from 0
  const float* ahead = nullptr;  // of kAhead: what is read after this tile, k lines of it
};

// kWidth: columns of a panel of b. kAhead: with each step a line of tile.ahead is asked for.
template <int kRows, int kVectors, bool kPackedA, int kWidth, bool kAhead>
void TileProduct(const Tile& tile) {
  static_assert(kWidth == 32 || kWidth == kVectors * 16);
  F32x16 sum[kRows][kVectors];
  const bool whole = tile.columns >= kVectors * 16;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const float* c = tile.c + r * tile.ldc + v * 16;
      const int64_t left = tile.columns - v * 16;
      sum[r][v] = !tile.from_c ? Zero()
                  : whole      ? Load(c)
                               : LoadN(c, left < 0    ? 0
                                          : left < 16 ? left
                                                      : 16);
    }
  }
  const float* b = tile.b;
  const float* a = tile.a;
  const int64_t lda = kPackedA ? 1 : tile.lda, step = kPackedA ? kRows : 1;
  // Three rows share a base: their offsets are 0, 1 and 2 strides, which one address can express.
  const float* rows[(kRows + 2) / 3];
#pragma GCC unroll 4
  for (int g = 0; g < (kRows + 2) / 3; ++g) rows[g] = a + 3 * g * lda;
#pragma GCC unroll 4
  for (int64_t i = 0; i < tile.k; ++i) {
    F32x16 column[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      column[v] = Load(b + (v / 2) * tile.panel_stride + (v % 2) * 16);
    }
    if (kAhead) __builtin_prefetch(tile.ahead + i * 16, 0, 2);  // into the second-level cache
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const F32x16 x = Set(kPackedA ? a[r] : rows[r / 3][(r % 3) * lda]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Fma(x, column[v], sum[r][v]);
    }
    b += kWidth;
    a += step;
#pragma GCC unroll 4
    for (int g = 0; g < (kRows + 2) / 3; ++g) rows[g] += 1;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      float* c = tile.c + r * tile.ldc + v * 16;
      const int64_t left = tile.columns - v * 16, n = left < 0 ? 0 : left < 16 ? left : 16;
      if (tile.bias != nullptr) sum[r][v] = Add(sum[r][v], LoadN(tile.bias + v * 16, n));
      if (whole) {
        Store(c, sum[r][v]);
      } else {
        StoreN(c, sum[r][v], n);
      }
    }
  }
}

}  // namespace
}  // namespace hone::kernels
