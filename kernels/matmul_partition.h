// How a product is parted among threads: units of rows and panels that write disjoint outputs.
// Which thread does which follows from the sizes alone and changes no bit.
#pragma once

#include <algorithm>

#include "kernels/isa_kernels.h"
#include "kernels/matmul.h"
#include "kernels/parallel.h"

namespace hone::kernels {

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows [row, row + rows) of the output and its panels [panel, panel + panels) of 32 columns.
struct MatmulUnit {
  int64_t row, rows, panel, panels;
};

// Rows that one unit takes: at most `most`, and so many that every thread gets about four units;
// whole tiles, and all units of about the same size.
inline int64_t UnitRows(int64_t m, int64_t panels, int64_t tile, int64_t most, int64_t threads) {
  const int64_t tiles = CeilDiv(m, tile);
  const int64_t units = std::max(CeilDiv(tiles * tile, most), CeilDiv(4 * threads, panels));
  return tile * CeilDiv(tiles, std::min(tiles, units));
}

// The panels of b from `panel` on.
inline PackedMatrix FromPanel(const PackedMatrix& b, int64_t panel) {
  const int64_t at = panel * PanelStride(b);
  return {.k = b.k,
          .n = b.n - panel * kPanel,
          .panels = b.panels == nullptr ? nullptr : b.panels + at,
          .bf16_pairs = b.bf16_pairs == nullptr ? nullptr : b.bf16_pairs + at};
}
inline const void* MemoryOf(const PackedMatrix& b) {
  if (b.panels == nullptr) return b.bf16_pairs;
  return b.panels;
}
// Of the calling thread, for MatmulBlock::scratch.
inline float* UnpackScratch(const MatmulKernels& kernels, const PackedMatrix& b) {
  return b.bf16_pairs == nullptr ? nullptr : Scratch(kernels.scratch);
}

// The rows of `unit` in a and c against `panels` panels of b from `panel` on; `bias` is of all
// columns of b, and c of its first.
inline MatmulBlock BlockOf(const MatmulKernels& kernels, const MatmulUnit& unit, const float* a,
                           int64_t lda, const PackedMatrix& b, int64_t panel, int64_t panels,
                           float* c, int64_t ldc, const float* bias) {
  const int64_t column = panel * kPanel;
  const PackedMatrix part = FromPanel(b, panel);
  return {.a = a + unit.row * lda,
          .lda = lda,
          .rows = unit.rows,
          .panels = part.panels,
          .bf16_pairs = part.bf16_pairs,
          .panel_stride = PanelStride(b),
          .k = b.k,
          .columns = std::min(panels * kPanel, part.n),
          .c = c + unit.row * ldc + column,
          .ldc = ldc,
          .bias = bias == nullptr ? nullptr : bias + column,
          .from = nullptr,
          .next = MemoryOf(FromPanel(part, panels)),
          .scratch = UnpackScratch(kernels, b)};
}

// Of rows that a unit takes; and as many as there are, where each unit packs its panels itself.
inline constexpr int64_t kMostRows = 504, kAllRows = INT64_MAX / 2;

// body(unit) over an output of m rows and n columns. A thread takes consecutive units; those of the
// same rows come to it as one. `together`: panels that no two threads share.
template <class Body>
void ForUnits(const Exec& exec, int64_t m, int64_t n, int64_t tile_rows, int64_t most_rows,
              const Body& body, int64_t together = 1) {
  const int64_t panels = CeilDiv(n, kPanel), columns = CeilDiv(panels, together);
  if (m == 0 || panels == 0) return;
  const int64_t unit_rows = UnitRows(m, columns, tile_rows, most_rows, Threads(exec));
  ParallelFor(exec, CeilDiv(m, unit_rows) * columns, 1, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t row = begin / columns * unit_rows, column = begin % columns;
      const int64_t count = std::min(end - begin, columns - column), panel = column * together;
      body(MatmulUnit{row, std::min(unit_rows, m - row), panel,
                      std::min(count * together, panels - panel)});
      begin += count;
    }
  });
}

}  // namespace hone::kernels
