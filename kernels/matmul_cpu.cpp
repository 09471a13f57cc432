// The inner part of matmul.cpp for one ISA: blocks for the caches around the tile of matmul_tile.h.
#include "kernels/isa_kernels.h"
#include "kernels/matmul_tile.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

// How a product with packed weights is cut: a block of its panels, `columns` wide and `depth` steps
// of the reduced index long, is passed by all rows before the next.
struct Order {
  int64_t columns, depth;
};

// Many rows: as deep as the second-level cache takes it beside them, so that loading and storing
// the accumulators counts for nothing. Few: small blocks, so that the next can come while one is
// passed; AVX2, whose tiles read a panel twice as often for the same work, keeps them in the
// first-level cache.
constexpr int64_t kDepth = 768;
HONE_SIMD Order OrderFor(int64_t rows) {
  if (rows > 128) return {128, kDepth};
#if defined(__AVX512F__)
  return {64, kDepth};
#else
  return {32, 192};
#endif
}
// Floats that are asked for ahead at least, where a block is smaller.
constexpr int64_t kLeastAhead = 16384;

// The size of parts of `size` that are about equal, each at most `most`.
HONE_SIMD int64_t EvenPart(int64_t size, int64_t most) {
  const int64_t parts = (size + most - 1) / most;
  return parts == 0 ? most : (size + parts - 1) / parts;
}

using TileFunction = void (*)(const Tile&);

template <bool kPackedA, int kWidth, bool kAhead>
TileFunction NarrowTile(int64_t rows) {  // kTileVectors wide
  switch (rows) {
    case 1:
      return TileProduct<1, kTileVectors, kPackedA, kWidth, kAhead>;
    case 2:
      return TileProduct<2, kTileVectors, kPackedA, kWidth, kAhead>;
    case 3:
      return TileProduct<3, kTileVectors, kPackedA, kWidth, kAhead>;
#if defined(__AVX2__)
    case 4:
      return TileProduct<4, kTileVectors, kPackedA, kWidth, kAhead>;
    case 5:
      return TileProduct<5, kTileVectors, kPackedA, kWidth, kAhead>;
#endif
#if defined(__AVX512F__)
    case 6:
      return TileProduct<6, kTileVectors, kPackedA, kWidth, kAhead>;
    case 7:
      return TileProduct<7, kTileVectors, kPackedA, kWidth, kAhead>;
    case 8:
      return TileProduct<8, kTileVectors, kPackedA, kWidth, kAhead>;
    case 9:
      return TileProduct<9, kTileVectors, kPackedA, kWidth, kAhead>;
    case 10:
      return TileProduct<10, kTileVectors, kPackedA, kWidth, kAhead>;
    case 11:
      return TileProduct<11, kTileVectors, kPackedA, kWidth, kAhead>;
#endif
    default:
      return TileProduct<kTileRows, kTileVectors, kPackedA, kWidth, kAhead>;
  }
}

// Few rows: as many columns as it takes to hide the latency of fma. Panels side by side.
TileFunction WideTile(int64_t rows) {
  switch (rows) {
    case 1:
      return TileProduct<1, VectorsFor(1), false, 32, false>;
    case 2:
      return TileProduct<2, VectorsFor(2), false, 32, false>;
    case 3:
      return TileProduct<3, VectorsFor(3), false, 32, false>;
    case 4:
      return TileProduct<4, VectorsFor(4), false, 32, false>;
#if defined(__AVX512F__)
    case 5:
      return TileProduct<5, VectorsFor(5), false, 32, false>;
    case 6:
      return TileProduct<6, VectorsFor(6), false, 32, false>;
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

// The tile of columns from `column` on and rows from `row` on, over `depth` steps from `begin` on.
Tile TileOf(const MatmulBlock& block, const TileRows& rows, int64_t row, int64_t column,
            int64_t begin, int64_t depth) {
  const int64_t panel_stride = block.k * 32;
  const bool last = begin + depth >= block.k;
  return {.a = rows.a(),
          .lda = rows.lda(),
          .step = 1,
          .b = block.panels + column / 32 * panel_stride + begin * 32 + column % 32,
          .panel_stride = panel_stride,
          .k = depth,
          .c = block.c + row * block.ldc + column,
          .ldc = block.ldc,
          .columns = block.columns - column,
          .bias = last && block.bias != nullptr ? block.bias + column : nullptr,
          .from_c = block.accumulate || begin > 0};
}

// Fewer rows than a tile: panels side by side, each read once.
void FewRows(const MatmulBlock& block) {
  const TileFunction narrow = NarrowTile<false, 32, false>(block.rows);
  const TileFunction wide = WideTile(block.rows);
  const int64_t wide_columns = VectorsFor(static_cast<int>(block.rows)) * 16;
  TileRows rows;
  for (int64_t begin = 0; begin < block.k || begin == 0; begin += kDepth) {  // k = 0: c is written
    const int64_t depth = Smaller(kDepth, block.k - begin);
    rows.Take(block.a + begin, block.lda, block.rows, depth);
    for (int64_t column = 0; column < block.columns;) {
      const bool fits = wide != nullptr && column + wide_columns <= block.columns;
      (fits ? wide : narrow)(TileOf(block, rows, 0, column, begin, depth));
      column += fits ? wide_columns : kTileColumns;
    }
  }
}

// The first rows wait for the panels; while the others pass them, the next panels come: half a
// panel a tile. Past the block's own they are those of the product that is likely next.
void Block(const MatmulBlock& block) {
  if (block.rows < kTileRows) return FewRows(block);
  const Order order = OrderFor(block.rows);
  const int64_t tiles = (block.rows + kTileRows - 1) / kTileRows;
  TileRows rows;
  for (int64_t group = 0; group < block.columns; group += order.columns) {
    const int64_t end = Smaller(group + order.columns, block.columns);
    for (int64_t begin = 0; begin < block.k || begin == 0; begin += order.depth) {
      const int64_t depth = Smaller(order.depth, block.k - begin);
      const float* next = begin + depth < block.k
                              ? block.panels + group * block.k + (begin + depth) * 32
                              : block.panels + end * block.k;
      const float* const next_end = next + Larger((end - group) * depth, kLeastAhead);
      for (int64_t n = 0; n < tiles; ++n) {
        const int64_t row = block.rows * n / tiles, count = block.rows * (n + 1) / tiles - row;
        rows.Take(block.a + row * block.lda + begin, block.lda, count, depth);
        const bool ahead = n > 0 && next < next_end;
        const TileFunction function =
            ahead ? NarrowTile<false, 32, true>(count) : NarrowTile<false, 32, false>(count);
        for (int64_t column = group; column < end; column += kTileColumns) {
          Tile tile = TileOf(block, rows, row, column, begin, depth);
          tile.ahead = next;
          next += ahead ? depth * 16 : 0;
          function(tile);
        }
      }
    }
  }
}

// Asks for `rows` rows of `floats` floats.
template <int kCacheLevel>
HONE_SIMD void Prefetch(const float* p, int64_t ld, int64_t rows, int64_t floats) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < floats; i += 16)
      __builtin_prefetch(p + row * ld + i, 0, 4 - kCacheLevel);
  }
}

// Part `part` of `parts` about equal ones of [0, size).
struct Range {
  int64_t begin, end;
};
HONE_SIMD Range PartOf(int64_t size, int64_t part, int64_t parts) {
  return {size * part / parts, size * (part + 1) / parts};
}

// Floats from one packed tile [t][width] to the next: a vector more than it holds, so that whole
// vectors can be written to its end, and tiles do not all lie in the same set of the first-level
// cache.
HONE_SIMD constexpr int64_t PackedStride(int64_t width, int64_t t) { return width * t + 16; }

// source [t, columns] to tiles [t][kWidth]; the last is as wide as what is left, or padded with
// zeros to kWidth when kPad. Row by row: the source is read as it lies.
template <int kWidth, bool kPad>
void PackTiles(const float* source, int64_t ld, int64_t t, int64_t columns, float* tiles) {
  constexpr int64_t kRead = (kWidth + 15) / 16 * 16;
  const int64_t stride = PackedStride(kWidth, t);
  const int64_t whole = columns < kRead ? 0 : (columns - kRead) / kWidth + 1;
  for (int64_t i = 0; i < t; ++i) {
    const float* row = source + i * ld;
    // What is written past kWidth is written again by the next row.
    for (int64_t tile = 0; tile < whole; ++tile) {
      float* to = tiles + tile * stride + i * kWidth;
#pragma GCC unroll 2
      for (int64_t j = 0; j < kRead; j += 16) Store(to + j, Load(row + tile * kWidth + j));
    }
    for (int64_t tile = whole; tile * kWidth < columns; ++tile) {
      const int64_t used = Smaller(kWidth, columns - tile * kWidth), width = kPad ? kWidth : used;
      float* to = tiles + tile * stride + i * width;
      for (int64_t j = 0; j < used; j += 16) {
        const int64_t n = Smaller(16, used - j);
        StoreN(to + j, LoadN(row + tile * kWidth + j, n), n);
      }
      for (int64_t j = used; j < width; ++j) to[j] = 0;
    }
  }
}

// Each group of panels is packed when the rows come to it: for hundreds of rows that costs nothing.
// Wider groups than above, and less deep: rows of gradients are long, and come from memory, so the
// next tile's are asked for while one is at work, and its place in c.
constexpr int64_t kRowsDepth = 384, kRowsColumns = 256;
static_assert(kRowsDepth <= kDepth);

void RowsBlock(const MatmulRowsBlock& block) {
  TileRows rows;
  for (int64_t group = 0; group < block.columns; group += kRowsColumns) {
    const int64_t columns = Smaller(kRowsColumns, block.columns - group);
    const int64_t tiles = (columns + kTileColumns - 1) / kTileColumns;
    for (int64_t begin = 0; begin < block.k || begin == 0; begin += kRowsDepth) {
      const int64_t depth = Smaller(kRowsDepth, block.k - begin);  // 0 for k = 0: c is written
      PackTiles<kTileColumns, true>(block.b + begin * block.ldb + group, block.ldb, depth, columns,
                                    block.scratch);
      for (int64_t row = 0; row < block.rows; row += kTileRows) {
        const int64_t count = Smaller(kTileRows, block.rows - row);
        const int64_t after = Smaller(kTileRows, block.rows - row - count);
        const TileFunction function = NarrowTile<false, kTileColumns, false>(count);
        rows.Take(block.a + row * block.lda + begin, block.lda, count, depth);
        for (int64_t tile = 0; tile < tiles; ++tile) {
          const int64_t column = tile * kTileColumns;
          float* c = block.c + row * block.ldc + group + column;
          const Range part = PartOf(after, tile, tiles);
          Prefetch<2>(block.a + (row + count + part.begin) * block.lda + begin, block.lda,
                      part.end - part.begin, depth);
          if (tile + 1 < tiles) Prefetch<1>(c + kTileColumns, block.ldc, count, kTileColumns);
          function({.a = rows.a(),
                    .lda = rows.lda(),
                    .step = 1,
                    .b = block.scratch + tile * PackedStride(kTileColumns, depth),
                    .panel_stride = 0,
                    .k = depth,
                    .c = c,
                    .ldc = block.ldc,
                    .columns = columns - column,
                    .bias = nullptr,
                    .from_c = block.accumulate || begin > 0});
        }
      }
    }
  }
}

// The weight gradient, in chunks of t and of columns: a chunk of x is packed once and stays in the
// second-level cache while the rows of dw pass, some tiles of them at a time with their part of dy
// packed. While they are at work, the next part of dy and the next tile's place in dw are asked
// for.
constexpr int64_t kGradDepth = 320, kGradColumns = 512, kGradRows = 16 * kTileRows;
constexpr int64_t kGradPanels =
    kGradColumns / kTileColumns * PackedStride(kTileColumns, kGradDepth);

// A chunk: dy, x and dw from its first element on.
void GradWeightChunk(const GradWeightBlock& chunk) {
  float *x_panels = chunk.scratch, *dy_tiles = x_panels + kGradPanels;
  PackTiles<kTileColumns, true>(chunk.x, chunk.ld_x, chunk.t, chunk.k, x_panels);
  const int64_t panels = (chunk.k + kTileColumns - 1) / kTileColumns;
  for (int64_t part = 0; part < chunk.n; part += kGradRows) {
    const int64_t part_rows = Smaller(kGradRows, chunk.n - part);
    const int64_t after = Smaller(kGradRows, chunk.n - part - part_rows);  // rows of the next part
    const int64_t tiles = (part_rows + kTileRows - 1) / kTileRows;
    PackTiles<kTileRows, false>(chunk.dy + part, chunk.ld_dy, chunk.t, part_rows, dy_tiles);
    for (int64_t panel = 0; panel < panels; ++panel) {
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t row = tile * kTileRows, rows = Smaller(kTileRows, part_rows - row);
        float* dw = chunk.dw + (part + row) * chunk.ld_dw + panel * kTileColumns;
        const Range ahead = PartOf(chunk.t, panel * tiles + tile, panels * tiles);
        Prefetch<2>(chunk.dy + ahead.begin * chunk.ld_dy + part + part_rows, chunk.ld_dy,
                    ahead.end - ahead.begin, after);
        Prefetch<1>(dw + rows * chunk.ld_dw, chunk.ld_dw,
                    Smaller(kTileRows, part_rows - row - rows), kTileColumns);
        NarrowTile<true, kTileColumns, false>(rows)(
            {.a = dy_tiles + tile * PackedStride(kTileRows, chunk.t),
             .lda = 1,
             .step = rows,
             .b = x_panels + panel * PackedStride(kTileColumns, chunk.t),
             .panel_stride = 0,
             .k = chunk.t,
             .c = dw,
             .ldc = chunk.ld_dw,
             .columns = chunk.k - panel * kTileColumns,
             .bias = nullptr,
             .from_c = true});
      }
    }
  }
}

void GradWeight(const GradWeightBlock& block) {
  const int64_t depth = EvenPart(block.t, kGradDepth);
  for (int64_t column = 0; column < block.k; column += kGradColumns) {
    for (int64_t begin = 0; begin < block.t; begin += depth) {
      GradWeightBlock chunk = block;
      chunk.dy += begin * block.ld_dy;
      chunk.x += begin * block.ld_x + column;
      chunk.dw += column;
      chunk.t = Smaller(depth, block.t - begin);
      chunk.k = Smaller(kGradColumns, block.k - column);
      GradWeightChunk(chunk);
    }
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const MatmulKernels kMatmul = {
    .tile_rows = kTileRows,
    .rows_scratch = kRowsColumns / kTileColumns * PackedStride(kTileColumns, kRowsDepth),
    .grad_scratch = kGradPanels + kGradRows / kTileRows * PackedStride(kTileRows, kGradDepth),
    .block = Block,
    .rows_block = RowsBlock,
    .grad_weight = GradWeight,
};
}

}  // namespace hone::kernels
