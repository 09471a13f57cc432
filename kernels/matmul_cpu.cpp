// The inner part of matmul.cpp for one ISA: blocks for the caches around the tile of matmul_tile.h.
#include "kernels/isa_kernels.h"
#include "kernels/matmul_layouts.h"
#include "kernels/matmul_tile.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

// How a product with packed weights is cut: a block of its panels, `columns` wide and `depth` steps
// of the reduced index long, is passed by all rows before the next. As deep as the second-level
// cache takes it beside the rows, so that loading and storing the accumulators counts for nothing;
// AVX2, whose tiles read a panel twice as often for the same work, keeps it in the first-level
// cache where the rows are too few to wait for the next.
struct Order {
  int64_t columns, depth;
};
constexpr int64_t kDepth = 768;
HONE_SIMD Order OrderFor(int64_t rows) {
#if defined(__AVX512F__)
  (void)rows;
  return {64, kDepth};
#else
  return rows > 128 ? Order{64, kDepth} : Order{32, 256};
#endif
}
// Floats that are asked for ahead at least, where a block is smaller.
constexpr int64_t kLeastAhead = 16384;
// Words that a tile of few rows asks ahead for.
constexpr int64_t kFewAhead = 2048;

// The size of parts of `size` that are about equal, each at most `most`.
HONE_SIMD int64_t EvenPart(int64_t size, int64_t most) {
  const int64_t parts = (size + most - 1) / most;
  return parts == 0 ? most : (size + parts - 1) / parts;
}

template <class Word>
using TileFunction = void (*)(const Tile<Word>&);

template <int... kRows>
struct RowCounts {};
#if defined(__AVX512F__)
using UpToMostTileRows = RowCounts<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;
using UpToTileRows = RowCounts<1, 2, 3, 4, 5, 6>;
#elif defined(__AVX2__)
using UpToMostTileRows = RowCounts<1, 2, 3, 4, 5, 6>;
using UpToTileRows = UpToMostTileRows;
#else
using UpToMostTileRows = RowCounts<1, 2, 3, 4>;
using UpToTileRows = UpToMostTileRows;
#endif

// The tile of many rows, or of those that are left.
template <int kAhead, int... kRows>
TileFunction<float> TileOfRows(int64_t rows, RowCounts<kRows...>) {
  constexpr TileFunction<float> kTiles[] = {TileProduct<float, kRows, kTileVectors, kAhead>...};
  return kTiles[rows - 1];
}
TileFunction<float> TileFor(int64_t rows, int64_t ahead) {
  constexpr UpToTileRows kRows;
  switch (ahead) {
    case 0:
      return TileOfRows<0>(rows, kRows);
    case 1:
      return TileOfRows<1>(rows, kRows);
    case 2:
      return TileOfRows<2>(rows, kRows);
    case 3:
      return TileOfRows<3>(rows, kRows);
    default:
      return TileOfRows<4>(rows, kRows);
  }
}

// All rows in one tile, and as many columns as it takes to hide the latency of fma. One panel at a
// time has to ask ahead; several side by side are as many streams, and the machine does.
template <class Word, int kRows>
constexpr int kFewAheadLines = VectorsFor(kRows) <= 2 ? 4 * VectorsFor(kRows) / kStepsOf<Word> : 0;
template <class Word, int... kRows>
TileFunction<Word> WideTile(int64_t rows, RowCounts<kRows...>) {
  constexpr TileFunction<Word> kTiles[] = {
      TileProduct<Word, kRows, VectorsFor(kRows), kFewAheadLines<Word, kRows>>...};
  return kTiles[rows - 1];
}
// For the last columns, where a wider tile does not fit.
template <class Word, int... kRows>
TileFunction<Word> NarrowTile(int64_t rows, RowCounts<kRows...>) {
  constexpr TileFunction<Word> kTiles[] = {TileProduct<Word, kRows, kNarrowVectors, 0>...};
  return kTiles[rows - 1];
}

// A tile of many rows' first rows, or of the last columns of them.
template <int... kRows>
TileFunction<uint32_t> UnpackingTile(int64_t rows, bool whole, RowCounts<kRows...>) {
  constexpr TileFunction<uint32_t> kTiles[] = {
      TileProduct<uint32_t, kRows, kTileVectors, 0, true>...};
  constexpr TileFunction<uint32_t> kNarrowTiles[] = {
      TileProduct<uint32_t, kRows, kNarrowVectors, 0, true>...};
  return (whole ? kTiles : kNarrowTiles)[rows - 1];
}

// The words of `column`, from step `begin` (an even one) on.
template <class Word>
const Word* WordsOf(const MatmulBlock& block, const Word* panels, int64_t column, int64_t begin) {
  return panels + column / 32 * block.panel_stride + begin / kStepsOf<Word> * 32 + column % 32;
}

// The tile of columns from `column` on and rows from `row` on, over `depth` steps from `begin` on,
// of which b are the words.
template <class Word>
Tile<Word> TileOf(const MatmulBlock& block, const Word* b, int64_t panel_stride, int64_t row,
                  int64_t column, int64_t begin, int64_t depth) {
  const bool last = begin + depth >= block.k;
  const float* from = begin > 0 ? block.c : block.from;
  return {.a = block.a + row * block.lda + begin,
          .lda = block.lda,
          .b = b,
          .panel_stride = panel_stride,
          .k = depth,
          .c = block.c + row * block.ldc + column,
          .ldc = block.ldc,
          .columns = block.columns - column,
          .bias = last && block.bias != nullptr ? block.bias + column : nullptr,
          .from = from == nullptr ? nullptr : from + row * block.ldc + column,
          .next_c = block.c + row * block.ldc + column};
}

// All rows in one tile: each panel is read once.
template <class Word>
void FewRows(const MatmulBlock& block, const Word* panels) {
  const TileFunction<Word> narrow = NarrowTile<Word>(block.rows, UpToMostTileRows());
  const TileFunction<Word> wide = WideTile<Word>(block.rows, UpToMostTileRows());
  const int64_t wide_columns = VectorsFor(static_cast<int>(block.rows)) * 16;
  for (int64_t begin = 0; begin < block.k || begin == 0; begin += kDepth) {  // k = 0: c is written
    const int64_t depth = Smaller(kDepth, block.k - begin);
    for (int64_t column = 0; column < block.columns;) {
      const bool fits = column + wide_columns <= block.columns;
      Tile<Word> tile = TileOf(block, WordsOf(block, panels, column, begin), block.panel_stride, 0,
                               column, begin, depth);
      // Half a panel asks for half.
      tile.ahead = reinterpret_cast<const char*>(tile.b + kFewAhead +
                                                 column % 32 * (depth / kStepsOf<Word> - 1));
      const int64_t columns = fits ? wide_columns : kNarrowVectors * 16;
      tile.next_c = tile.c + columns;
      (fits ? wide : narrow)(tile);
      column += columns;
    }
  }
}

// Columns [group, end) of the panels over `depth` steps from `begin` on, which many rows pass.
struct Part {
  int64_t group, end, begin, depth;
};
// A part as floats, and how many tiles of rows, of `rows` at most, have passed it already.
struct PartFloats {
  const float* b;
  int64_t panel_stride, tiles_done;
};
PartFloats FloatsOf(const MatmulBlock& block, const float* panels, const Part& part, int64_t) {
  return {WordsOf(block, panels, part.group, part.begin), block.panel_stride, 0};
}
// Of bf16, the first tile of rows leaves them in the scratch as it widens them.
PartFloats FloatsOf(const MatmulBlock& block, const uint32_t* pairs, const Part& part,
                    int64_t rows) {
  const int64_t stride = part.depth * 32;
  for (int64_t column = part.group; column < part.end;) {
    const bool whole = column + kTileColumns <= part.end;
    auto tile = TileOf(block, WordsOf(block, pairs, column, part.begin), block.panel_stride, 0,
                       column, part.begin, part.depth);
    tile.unpacked = block.scratch + (column - part.group) / 32 * stride + column % 32;
    tile.unpacked_stride = stride;
    UnpackingTile(rows, whole, UpToTileRows())(tile);
    column += whole ? kTileColumns : kNarrowVectors * 16;
  }
  return {block.scratch, stride, 1};
}

// Parts of panels, `depth` steps long, that are asked for while others are passed: piece by piece,
// each as many lines as a tile of that depth takes if it asks for one in four steps.
template <class Word>
class PartsAhead {
 public:
  // stride: words from part to part.
  PartsAhead(const Word* first, int64_t stride, int64_t depth, int64_t columns)
      : first_(first), stride_(stride), piece_(depth * 4) {
    if (first == nullptr || depth == 0) return;
    const int64_t part = depth * 32 / kStepsOf<Word>;
    left_ = kPieces * ((Larger(columns / 32 * part, kLeastAhead) + part - 1) / part);
  }

  // How many pieces may be next, `most` at most, and where they begin.
  int64_t Lines(int64_t most) const {
    return Smaller(most, Smaller(left_, kPieces - asked_ % kPieces));
  }
  const char* Next(int64_t lines) {
    const Word* at = first_ + asked_ / kPieces * stride_ + asked_ % kPieces * piece_;
    asked_ += lines;
    left_ -= lines;
    return reinterpret_cast<const char*>(at);
  }

 private:
  static constexpr int64_t kPieces = 8 / kStepsOf<Word>;  // of a part

  const Word* first_;
  int64_t stride_, piece_, asked_ = 0, left_ = 0;
};

// What follows a part.
template <class Word>
PartsAhead<Word> AheadOf(const MatmulBlock& block, const Word* panels, const Part& part,
                         int64_t most_depth) {
  const int64_t stride = block.panel_stride, columns = part.end - part.group,
                deeper = part.begin + part.depth, first = Smaller(most_depth, block.k);
  if (deeper < block.k) {
    return {WordsOf(block, panels, part.group, deeper), stride,
            Smaller(most_depth, block.k - deeper), columns};
  }
  if (part.end < block.columns) {
    return {WordsOf(block, panels, part.end, 0), stride, first, columns};
  }
  return {static_cast<const Word*>(block.next), part.depth * 32 / kStepsOf<Word>, part.depth,
          columns};
}

// While rows pass panels, the next panels come, about as fast as they are needed.
template <class Word>
void ManyRows(const MatmulBlock& block, const Word* panels) {
  const Order order = OrderFor(block.rows);
  const int64_t tiles = (block.rows + kTileRows - 1) / kTileRows;
  for (int64_t group = 0; group < block.columns; group += order.columns) {
    const int64_t end = Smaller(group + order.columns, block.columns);
    for (int64_t begin = 0; begin < block.k || begin == 0; begin += order.depth) {
      const int64_t depth = Smaller(order.depth, block.k - begin);
      const Part part = {group, end, begin, depth};
      PartsAhead<Word> ahead = AheadOf(block, panels, part, order.depth);
      const PartFloats floats = FloatsOf(block, panels, part, block.rows / tiles);
      const int64_t left = tiles - floats.tiles_done;
      const int64_t most_lines = Smaller(4, (4 * kTileVectors / kStepsOf<Word> + left - 1) / left);
      const auto tile_at = [&](int64_t row, int64_t column) {
        return TileOf(block, floats.b + (column - group) / 32 * floats.panel_stride + column % 32,
                      floats.panel_stride, row, column, begin, depth);
      };
      for (int64_t n = floats.tiles_done; n < tiles; ++n) {
        const int64_t row = block.rows * n / tiles, count = block.rows * (n + 1) / tiles - row;
        for (int64_t column = group; column < end; column += kTileColumns) {
          if (column + kTileColumns <= end) {
            const int64_t lines = ahead.Lines(most_lines);
            Tile<float> tile = tile_at(row, column);
            tile.ahead = ahead.Next(lines);
            tile.next_c = tile.c + count * tile.ldc;
            TileFor(count, lines)(tile);
            continue;
          }
          for (int64_t rest = column; rest < end; rest += kNarrowVectors * 16) {
            NarrowTile<float>(count, UpToMostTileRows())(tile_at(row, rest));
          }
        }
      }
    }
  }
}

void Block(const MatmulBlock& block) {
  const bool few = block.rows <= kMostTileRows;
  if (block.bf16_pairs == nullptr) {
    few ? FewRows(block, block.panels) : ManyRows(block, block.panels);
  } else {
    few ? FewRows(block, block.bf16_pairs) : ManyRows(block, block.bf16_pairs);
  }
}

// How the gradients' products are cut: columns and depth of what is packed at a time, to stay in
// the second-level cache while rows pass, and rows that pass it together.
constexpr int64_t kPackedColumns = 512, kPackedDepth = 768, kPackedRows = 192;
// Floats beyond the last of a panel or row of scratch: else all would lie in the same set of the
// first-level cache.
constexpr int64_t kApart = 16;
constexpr int64_t kPackedPanels = kPackedColumns / 32 * (kPackedDepth * 32 + kApart);

// b [k, columns] as it lies, packed part by part: body(part, group, begin), where `part` lacks the
// rows of a and c; its first column is `group`, its first step of k is `begin`.
template <class Body>
void ForPackedParts(const float* b, int64_t ldb, int64_t k, int64_t columns, float* panels,
                    const Body& body) {
  const int64_t most = EvenPart(k, kPackedDepth);
  for (int64_t group = 0; group < columns; group += kPackedColumns) {
    const int64_t width = Smaller(kPackedColumns, columns - group);
    for (int64_t begin = 0; begin < k || begin == 0; begin += most) {  // k = 0: c is written
      const int64_t depth = Smaller(most, k - begin), stride = depth * 32 + kApart;
      PackRows(b + begin * ldb + group, ldb, depth, width, panels, stride);
      MatmulBlock part = {};
      part.panels = panels;
      part.panel_stride = stride;
      part.k = depth;
      part.columns = width;
      body(part, group, begin);
    }
  }
}

// body(row, rows) over the rows that pass a packed part together.
template <class Body>
void ForPackedRows(int64_t rows, const Body& body) {
  for (int64_t row = 0; row < rows; row += kPackedRows) body(row, Smaller(kPackedRows, rows - row));
}

void RowsBlock(const MatmulRowsBlock& block) {
  ForPackedParts(block.b, block.ldb, block.k, block.columns, block.scratch,
                 [&](MatmulBlock part, int64_t group, int64_t begin) {
                   part.lda = block.lda;
                   part.ldc = block.ldc;
                   ForPackedRows(block.rows, [&](int64_t row, int64_t rows) {
                     part.a = block.a + row * block.lda + begin;
                     part.rows = rows;
                     part.c = block.c + row * block.ldc + group;
                     part.from = block.accumulate || begin > 0 ? part.c : nullptr;
                     Block(part);
                   });
                 });
}

// x is packed; the rows that pass it are those of dy, transposed.
void GradWeight(const GradWeightBlock& block) {
  float* dy_rows = block.scratch + kPackedPanels;
  ForPackedParts(block.x, block.ld_x, block.t, block.k, block.scratch,
                 [&](MatmulBlock part, int64_t group, int64_t begin) {
                   part.a = dy_rows;
                   part.lda = kPackedDepth + kApart;
                   part.ldc = block.ld_dw;
                   ForPackedRows(block.n, [&](int64_t row, int64_t rows) {
                     TransposeRows(block.dy + begin * block.ld_dy + row, block.ld_dy, part.k, rows,
                                   dy_rows, part.lda);
                     part.rows = rows;
                     part.c = block.dw + row * block.ld_dw + group;
                     part.from = part.c;
                     Block(part);
                   });
                 });
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const MatmulKernels kMatmul = {
    .tile_rows = kTileRows,
    .scratch = kPackedPanels + kPackedRows * (kPackedDepth + kApart),
    .transpose = TransposeRows,
    .pack_rows = PackRows,
    .pack_pairs = PackPairs,
    .row_sums = RowSums,
    .block = Block,
    .rows_block = RowsBlock,
    .grad_weight = GradWeight,
};
}

}  // namespace hone::kernels
