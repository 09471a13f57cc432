// The inner part of matmul.cpp for one ISA: blocks for the caches around the tile of matmul_tile.h.
#include "kernels/isa_kernels.h"
#include "kernels/matmul_tile.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

// Steps of the reduced index that a tile takes before it stores: long enough that loading and
// storing the accumulators counts for nothing, short enough that a panel's part stays in the
// second-level cache beside the rows that pass it. The chains go on from what was stored: same
// bits.
constexpr int64_t kDepth = 768;
constexpr int64_t kGroupColumns = 128;

// The size of parts of `size` that are about equal, each at most `most`.
HONE_SIMD int64_t EvenPart(int64_t size, int64_t most) {
  const int64_t parts = (size + most - 1) / most;
  return parts == 0 ? most : (size + parts - 1) / parts;
}

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

// The rows of a tile over a part of the depth. Where their stride is a multiple of 4 KiB, as with
// many hidden sizes, they would all lie in the same set of the first-level cache and push each
// other out; then they are copied side by side.
class TileRows {
 public:
  void Take(const float* a, int64_t lda, int64_t rows, int64_t depth) {
    a_ = a;
    lda_ = lda;
    if (lda % 1024 != 0 || rows <= 4) return;
    for (int64_t row = 0; row < rows; ++row) {
      const float* from = a + row * lda;
      float* to = copy_ + row * kStride;
      for (int64_t i = 0; i < depth; i += 16) {
        const int64_t n = Smaller(16, depth - i);
        StoreN(to + i, LoadN(from + i, n), n);
      }
    }
    a_ = copy_;
    lda_ = kStride;
  }
  const float* a() const { return a_; }
  int64_t lda() const { return lda_; }

 private:
  static constexpr int64_t kStride = kDepth + 16;
  const float* a_ = nullptr;
  int64_t lda_ = 0;
  alignas(64) float copy_[kTileRows * kStride];
};

// Columns [column, column + width of the tile) of a tile's rows, from step `begin` of the depth on.
void RunTile(const MatmulBlock& block, TileFunction tile, const TileRows& rows, int64_t row,
             int64_t column, int64_t begin) {
  const int64_t panel_stride = block.k * 32;
  const bool last = begin + kDepth >= block.k;
  tile({.a = rows.a(),
        .lda = rows.lda(),
        .step = 1,
        .b = block.panels + column / 32 * panel_stride + begin * 32 + column % 32,
        .panel_stride = panel_stride,
        .k = Smaller(kDepth, block.k - begin),
        .c = block.c + row * block.ldc + column,
        .ldc = block.ldc,
        .columns = block.columns - column,
        .bias = last && block.bias != nullptr ? block.bias + column : nullptr,
        .from_c = block.accumulate || begin > 0});
}

// Fewer rows than a tile: panels side by side, each read once.
void FewRows(const MatmulBlock& block) {
  const TileFunction narrow = NarrowTile<false>(block.rows), wide = WideTile(block.rows);
  const int64_t wide_columns = VectorsFor(static_cast<int>(block.rows)) * 16;
  TileRows rows;
  for (int64_t begin = 0; begin < block.k || begin == 0; begin += kDepth) {  // k = 0: c is written
    rows.Take(block.a + begin, block.lda, block.rows, Smaller(kDepth, block.k - begin));
    for (int64_t column = 0; column < block.columns;) {
      const bool fits = wide != nullptr && column + wide_columns <= block.columns;
      RunTile(block, fits ? wide : narrow, rows, 0, column, begin);
      column += fits ? wide_columns : kTileVectors * 16;
    }
  }
}

void Block(const MatmulBlock& block) {
  if (block.rows < kTileRows) return FewRows(block);
  const int64_t tile_rows = EvenPart(block.rows, kTileRows);
  TileRows rows;
  for (int64_t group = 0; group < block.columns; group += kGroupColumns) {
    const int64_t end = Smaller(group + kGroupColumns, block.columns);
    for (int64_t begin = 0; begin < block.k || begin == 0; begin += kDepth) {
      for (int64_t row = 0; row < block.rows; row += tile_rows) {
        const int64_t count = Smaller(tile_rows, block.rows - row);
        const TileFunction tile = NarrowTile<false>(count);
        rows.Take(block.a + row * block.lda + begin, block.lda, count,
                  Smaller(kDepth, block.k - begin));
        for (int64_t column = group; column < end; column += kTileVectors * 16) {
          RunTile(block, tile, rows, row, column, begin);
        }
      }
    }
  }
}

// The weight gradient, in chunks of t and of columns: a chunk of x is packed once and stays in the
// second-level cache while the rows of dw pass, some tiles of them at a time with their part of dy
// packed.
constexpr int64_t kGradDepth = 320, kGradColumns = 512, kGradRows = 8 * kTileRows;

// source [t, columns] to tiles [t][width] side by side; the last tile is as wide as what is left,
// or padded with zeros to `width` when kPad. Row by row: the source is read as it lies.
template <bool kPad>
void PackTiles(const float* source, int64_t ld, int64_t t, int64_t columns, int64_t width,
               float* tiles) {
  for (int64_t i = 0; i < t; ++i) {
    const float* row = source + i * ld;
    for (int64_t begin = 0; begin < columns; begin += width) {
      const int64_t used = Smaller(width, columns - begin), stride = kPad ? width : used;
      float *tile = tiles + begin * t, *to = tile + i * stride;
      const int64_t room = t * stride - i * stride;  // of the tile, from here on
      for (int64_t j = 0; j < used; j += 16) {
        // Whole vectors where both sides have room: what is written too far is written again.
        if (begin + j + 16 <= columns && j + 16 <= room) {
          Store(to + j, Load(row + begin + j));
        } else {
          const int64_t n = Smaller(16, used - j);
          StoreN(to + j, LoadN(row + begin + j, n), n);
        }
      }
      for (int64_t j = used; j < stride; ++j) to[j] = 0;
    }
  }
}

// Each group of panels is packed when the rows come to it: for hundreds of rows that costs nothing.
// Wider groups than above, and less deep: rows of gradients are long, and come from memory.
constexpr int64_t kRowsDepth = 384, kRowsColumns = 256;
static_assert(kRowsDepth <= kDepth);

void RowsBlock(const MatmulRowsBlock& block) {
  TileRows rows;
  for (int64_t group = 0; group < block.columns; group += kRowsColumns) {
    const int64_t columns = Smaller(kRowsColumns, block.columns - group);
    for (int64_t begin = 0; begin < block.k || begin == 0; begin += kRowsDepth) {
      const int64_t depth = Smaller(kRowsDepth, block.k - begin);  // 0 for k = 0: c is written
      PackTiles<true>(block.b + begin * block.ldb + group, block.ldb, depth, columns, 32,
                      block.scratch);
      for (int64_t row = 0; row < block.rows; row += kTileRows) {
        const int64_t count = Smaller(kTileRows, block.rows - row);
        const TileFunction tile = NarrowTile<false>(count);
        rows.Take(block.a + row * block.lda + begin, block.lda, count, depth);
        for (int64_t column = 0; column < columns; column += kTileVectors * 16) {
          tile({.a = rows.a(),
                .lda = rows.lda(),
                .step = 1,
                .b = block.scratch + column / 32 * 32 * depth + column % 32,
                .panel_stride = 0,
                .k = depth,
                .c = block.c + row * block.ldc + group + column,
                .ldc = block.ldc,
                .columns = columns - column,
                .bias = nullptr,
                .from_c = block.accumulate || begin > 0});
        }
      }
    }
  }
}

void GradWeightChunk(const GradWeightBlock& block, int64_t begin, int64_t t, int64_t column,
                     int64_t columns) {
  float *x_panels = block.scratch, *dy_tiles = x_panels + kGradDepth * kGradColumns;
  PackTiles<true>(block.x + begin * block.ld_x + column, block.ld_x, t, columns, 32, x_panels);
  for (int64_t row = 0; row < block.n; row += kTileRows) {
    const int64_t in_part = row % kGradRows, rows = Smaller(kTileRows, block.n - row);
    if (in_part == 0) {
      PackTiles<false>(block.dy + begin * block.ld_dy + row, block.ld_dy, t,
                       Smaller(kGradRows, block.n - row), kTileRows, dy_tiles);
    }
    const TileFunction tile = NarrowTile<true>(rows);
    for (int64_t panel = 0; panel < columns; panel += kTileVectors * 16) {
      tile({.a = dy_tiles + in_part * t,
            .lda = 1,
            .step = rows,
            .b = x_panels + panel / 32 * 32 * t + panel % 32,
            .panel_stride = 0,
            .k = t,
            .c = block.dw + row * block.ld_dw + column + panel,
            .ldc = block.ld_dw,
            .columns = columns - panel,
            .bias = nullptr,
            .from_c = true});
    }
  }
}

void GradWeight(const GradWeightBlock& block) {
  for (int64_t column = 0; column < block.k; column += kGradColumns) {
    const int64_t columns = Smaller(kGradColumns, block.k - column);
    const int64_t depth = EvenPart(block.t, kGradDepth);
    for (int64_t begin = 0; begin < block.t; begin += depth) {
      GradWeightChunk(block, begin, Smaller(depth, block.t - begin), column, columns);
    }
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const MatmulKernels kMatmul = {
    .tile_rows = kTileRows,
    .rows_scratch = kRowsDepth * kRowsColumns,
    .grad_scratch = kGradDepth * (kGradColumns + kGradRows),
    .block = Block,
    .rows_block = RowsBlock,
    .grad_weight = GradWeight,
};
}

}  // namespace hone::kernels
