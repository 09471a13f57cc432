// The micro-kernel of all matrix products: rows x 16-column vectors of accumulators in registers,
// one chain of fma over the reduced index for each output. Included by matmul_cpu.cpp alone.
#pragma once

#include "kernels/simd.h"
#include "kernels/simd_bf16.h"

namespace hone::kernels {
namespace {

// How many 16-column vectors of accumulators fit the registers of the set beside each other for so
// many rows; the tile of many rows, chosen so that a step takes the fewest instructions for its
// fmas; and how many rows one tile can hold.
#if defined(__AVX512F__)
constexpr int VectorsFor(int rows) { return rows <= 2 ? 8 : rows <= 6 ? 4 : 2; }
constexpr int kTileRows = 6, kMostTileRows = 12;
#elif defined(__AVX2__)
constexpr int VectorsFor(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }
constexpr int kTileRows = 6, kMostTileRows = 6;
#else
constexpr int VectorsFor(int) { return 1; }
constexpr int kTileRows = 4, kMostTileRows = 4;
#endif
constexpr int kTileVectors = VectorsFor(kTileRows), kTileColumns = kTileVectors * 16;
constexpr int kNarrowVectors = VectorsFor(kMostTileRows);  // for what is left of the columns

// How many steps of the reduced index a word of a panel holds, and the columns that one of them
// has in 16 words from b on.
template <class Word>
constexpr int kStepsOf = 1;
template <>
constexpr int kStepsOf<uint32_t> = 2;  // numbers of bf16
HONE_SIMD F32x16 ColumnsOf(const float* b, int) { return Load(b); }
HONE_SIMD F32x16 ColumnsOf(const uint32_t* b, int step) {
  return step % 2 == 0 ? LowerHalves(b) : UpperHalves(b);
}

template <class Word>
struct Tile {
  const float* a;  // element (row, i) at a[row * lda + i]
  int64_t lda;
  const Word* b;  // panels of 32 columns: element (i, column) in b[i / kStepsOf * 32 + column]
  int64_t panel_stride;  // from one panel of b to the next
  int64_t k;
  float* c;
  int64_t ldc;
  int64_t columns;              // columns of c that exist, from the first vector's first
  const float* bias;            // or null; added last
  const float* from;            // what the chains start from, rows of ldc; null: 0
  const float* next_c;          // the next tile's outputs, or any
  const char* ahead = nullptr;  // what is read after this tile
  float* unpacked = nullptr;    // receives b as floats, panels [k][32]
  int64_t unpacked_stride = 0;  // from one to the next
};

// kAhead: lines of tile.ahead that are asked for in four steps; evenly, since more at a time than
// the second-level cache has room to wait for would hold up the tile.
template <class Word, int kRows, int kVectors, int kAhead, bool kUnpack = false>
void TileProduct(const Tile<Word>& tile) {
  F32x16 sum[kRows][kVectors];
  const bool whole = tile.columns >= kVectors * 16;
  // How many of a vector's columns exist.
  const auto width = [&](int v) {
    const int64_t left = tile.columns - v * 16;
    return left < 0 ? 0 : left < 16 ? left : 16;
  };
  if (tile.from == nullptr) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Zero();
    }
  } else if (whole) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Load(tile.from + r * tile.ldc + v * 16);
    }
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] = LoadN(tile.from + r * tile.ldc + v * 16, width(v));
    }
  }
  const Word* b = tile.b;
  const int64_t lda = tile.lda;
  // Three rows share a base: their offsets are 0, 1 and 2 strides, which one address can express.
  const float* rows[(kRows + 2) / 3];
#pragma GCC unroll 4
  for (int g = 0; g < (kRows + 2) / 3; ++g) rows[g] = tile.a + 3 * g * lda;
  const char* ahead = tile.ahead;
  float* unpacked = tile.unpacked;
  const auto step = [&](int number, int lines) __attribute__((always_inline)) {
    F32x16 column[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      column[v] = ColumnsOf(b + v / 2 * tile.panel_stride + v % 2 * 16, number);
      if (kUnpack) Store(unpacked + v / 2 * tile.unpacked_stride + v % 2 * 16, column[v]);
    }
#pragma GCC unroll 2
    for (int n = number; n < lines; n += 4) __builtin_prefetch(ahead + n * 64, 0, 2);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const F32x16 x = Set(rows[r / 3][(r % 3) * lda]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Fma(x, column[v], sum[r][v]);
    }
    if (number % kStepsOf<Word> == kStepsOf<Word> - 1) b += 32;
    if (kUnpack) unpacked += 32;
#pragma GCC unroll 4
    for (int g = 0; g < (kRows + 2) / 3; ++g) rows[g] += 1;
  };
  int64_t left = tile.k;
  int line = 0;  // of the next tile's outputs
  for (; left >= 4; left -= 4) {
#pragma GCC unroll 4
    for (int number = 0; number < 4; ++number) step(number, kAhead);
    if (kAhead > 0) ahead += kAhead * 64;
    if (line < kRows * kVectors) {
      __builtin_prefetch(tile.next_c + line / kVectors * tile.ldc + line % kVectors * 16, 1, 2);
      ++line;
    }
  }
#pragma GCC unroll 3
  for (int number = 0; number < 3; ++number) {
    if (number < left) step(number, 0);
  }
  if (tile.bias != nullptr) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const F32x16 bias = LoadN(tile.bias + v * 16, width(v));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sum[r][v] = Add(sum[r][v], bias);
    }
  }
  if (whole) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) Store(tile.c + r * tile.ldc + v * 16, sum[r][v]);
    }
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        StoreN(tile.c + r * tile.ldc + v * 16, sum[r][v], width(v));
    }
  }
}

}  // namespace
}  // namespace hone::kernels
