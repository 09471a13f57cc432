// The inner part of matmul.cpp for one ISA: blocks for the caches around the tile of matmul_tile.h.
#include "kernels/isa_kernels.h"
#include "kernels/matmul_tile.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

// Steps of the reduced index that a tile takes before it stores: a panel's part, 32 columns of it,
// stays in the first-level cache while all rows pass. The chains go on from what was stored: same
// bits.
constexpr int64_t kDepth = 256;
constexpr int64_t kGroupColumns = 128;

using TileFunction = void (*)(const Tile&);

template <bool kPackedA>
TileFunction NarrowTile(int64_t rows) {  // kTileVectors wide
  switch (rows) {
    case 1:
      return TileProduct<1, kTileVectors, kPackedA>;
    case 2:
      return TileProduct<2, kTileVectors, kPackedA>;
    case 3:
      return TileProduct<3, kTileVectors, kPackedA>;
#if defined(__AVX2__)
    case 4:
      return TileProduct<4, kTileVectors, kPackedA>;
    case 5:
      return TileProduct<5, kTileVectors, kPackedA>;
#endif
#if defined(__AVX512F__)
    case 6:
      return TileProduct<6, kTileVectors, kPackedA>;
    case 7:
      return TileProduct<7, kTileVectors, kPackedA>;
    case 8:
      return TileProduct<8, kTileVectors, kPackedA>;
    case 9:
      return TileProduct<9, kTileVectors, kPackedA>;
    case 10:
      return TileProduct<10, kTileVectors, kPackedA>;
    case 11:
      return TileProduct<11, kTileVectors, kPackedA>;
#endif
    default:
      return TileProduct<kTileRows, kTileVectors, kPackedA>;
  }
}

// Few rows: as many columns as it takes to hide the latency of fma. Panels side by side.
TileFunction WideTile(int64_t rows) {
  switch (rows) {
    case 1:
      return TileProduct<1, VectorsFor(1), false>;
    case 2:
      return TileProduct<2, VectorsFor(2), false>;
    case 3:
      return TileProduct<3, VectorsFor(3), false>;
    case 4:
      return TileProduct<4, VectorsFor(4), false>;
#if defined(__AVX512F__)
    case 5:
      return TileProduct<5, VectorsFor(5), false>;
    case 6:
      return TileProduct<6, VectorsFor(6), false>;
#endif
    default:
      return nullptr;
  }
}

// `rows` rows (at most a tile) of columns [begin, begin + vectors * 16).
void RunTile(const MatmulBlock& block, TileFunction tile, int64_t row, int64_t column,
             int64_t depth) {
  const int64_t panel_stride = block.k * 32, begin = depth * kDepth;
  const bool last = begin + kDepth >= block.k;
  tile({.a = block.a + row * block.lda + begin,
        .lda = block.lda,
        .step = 1,
        .b = block.panels + column / 32 * panel_stride + begin * 32 + column % 32,
        .panel_stride = panel_stride,
        .k = last ? block.k - begin : kDepth,
        .c = block.c + row * block.ldc + column,
        .ldc = block.ldc,
        .columns = block.columns - column,
        .bias = last && block.bias != nullptr ? block.bias + column : nullptr,
        .from_c = block.accumulate || depth > 0});
}

int64_t Depths(const MatmulBlock& block) {  // one even for k = 0: c is written
  return block.k == 0 ? 1 : (block.k + kDepth - 1) / kDepth;
}

// Fewer rows than a tile: panels side by side, each read once from top to bottom.
void FewRows(const MatmulBlock& block) {
  const TileFunction narrow = NarrowTile<false>(block.rows), wide = WideTile(block.rows);
  const int64_t wide_columns = VectorsFor(static_cast<int>(block.rows)) * 16;
  for (int64_t column = 0; column < block.columns;) {
    const bool fits = wide != nullptr && column + wide_columns <= block.columns;
    for (int64_t depth = 0; depth < Depths(block); ++depth) {
      RunTile(block, fits ? wide : narrow, 0, column, depth);
    }
    column += fits ? wide_columns : kTileVectors * 16;
  }
}

void Block(const MatmulBlock& block) {
  if (block.rows < kTileRows) return FewRows(block);
  const int64_t tail = block.rows % kTileRows, whole = block.rows - tail;
  const TileFunction full = NarrowTile<false>(kTileRows), last = NarrowTile<false>(tail);
  // Of a group of columns and a depth, what the rows hold of a and c stays in the second-level
  // cache.
  for (int64_t group = 0; group < block.columns; group += kGroupColumns) {
    const int64_t end = Smaller(group + kGroupColumns, block.columns);
    for (int64_t depth = 0; depth < Depths(block); ++depth) {
      for (int64_t column = group; column < end; column += kTileVectors * 16) {
        for (int64_t row = 0; row < whole; row += kTileRows) {
          RunTile(block, full, row, column, depth);
        }
        if (tail > 0) RunTile(block, last, whole, column, depth);
      }
    }
  }
}

// The weight gradient: dy and x are packed chunk by chunk, so that the tile reads both in order.
constexpr int64_t kGradDepth = 128, kGradRows = 40 * kTileRows;

// source [t, columns] to tiles [t][width] side by side; the last tile is tail wide, or padded with
// zeros to `width` when kPad.
template <bool kPad>
void PackTiles(const float* source, int64_t ld, int64_t t, int64_t columns, int64_t width,
               float* tiles) {
  for (int64_t begin = 0; begin < columns; begin += width) {
    const int64_t used = Smaller(width, columns - begin), stride = kPad ? width : used;
    for (int64_t i = 0; i < t; ++i) {
      const float* from = source + i * ld + begin;
      float* to = tiles + begin * t + i * stride;
      for (int64_t j = 0; j < used; j += 16) {
        const int64_t n = Smaller(16, used - j);
        StoreN(to + j, LoadN(from + j, n), n);
      }
      for (int64_t j = used; j < stride; ++j) to[j] = 0;
    }
  }
}

void GradWeightRows(const GradWeightBlock& block, int64_t first, int64_t n, int64_t begin,
                    int64_t t) {
  float *dy_tiles = block.scratch, *x_panel = dy_tiles + kGradDepth * kGradRows;
  PackTiles<false>(block.dy + begin * block.ld_dy + first, block.ld_dy, t, n, kTileRows, dy_tiles);
  for (int64_t column = 0; column < block.k; column += 32) {
    const int64_t columns = Smaller(32, block.k - column);
    PackTiles<true>(block.x + begin * block.ld_x + column, block.ld_x, t, columns, 32, x_panel);
    for (int64_t half = 0; half < columns; half += kTileVectors * 16) {
      for (int64_t row = 0; row < n; row += kTileRows) {
        const int64_t rows = Smaller(kTileRows, n - row);
        NarrowTile<true>(rows)({.a = dy_tiles + row * t,
                                .lda = 1,
                                .step = rows,
                                .b = x_panel + half,
                                .panel_stride = 0,
                                .k = t,
                                .c = block.dw + (first + row) * block.ld_dw + column + half,
                                .ldc = block.ld_dw,
                                .columns = columns - half,
                                .bias = nullptr,
                                .from_c = true});
      }
    }
  }
}

void GradWeight(const GradWeightBlock& block) {
  for (int64_t first = 0; first < block.n; first += kGradRows) {
    const int64_t n = Smaller(kGradRows, block.n - first);
    for (int64_t begin = 0; begin < block.t; begin += kGradDepth) {
      GradWeightRows(block, first, n, begin, Smaller(kGradDepth, block.t - begin));
    }
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const MatmulKernels kMatmul = {
    .tile_rows = kTileRows,
    .grad_scratch = kGradDepth * (kGradRows + 32),
    .block = Block,
    .grad_weight = GradWeight,
};
}

}  // namespace hone::kernels
