// Packing, and the partition of the products among threads.
#include "kernels/matmul.h"

#include <algorithm>

#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of a that one unit of work takes: few enough that a part of them, 256 deep, stays in the
// second-level cache while the panels pass, and that every thread gets about four units; whole
// tiles.
int64_t UnitRows(int64_t m, int64_t panels, int64_t tile, int64_t threads) {
  const int64_t tiles = CeilDiv(m, tile), units = CeilDiv(4 * threads, panels);
  return tile * std::clamp<int64_t>(tiles / units, 1, 512 / tile);
}

// Threads split [n / tile] x [k / 32] in a grid; this many along n, the rest along k, so that the
// largest part is smallest.
int64_t GridRows(int64_t row_tiles, int64_t panels, int64_t threads) {
  int64_t best = 1, best_work = INT64_MAX;
  for (int64_t rows = threads; rows >= 1; --rows) {
    if (threads % rows != 0) continue;
    const int64_t work = CeilDiv(row_tiles, rows) * CeilDiv(panels, threads / rows);
    if (work < best_work) best = rows, best_work = work;
  }
  return best;
}

}  // namespace

void PackTransposed(const Exec& exec, const float* w_NK, int64_t n, int64_t k,
                    PackedMatrix* packed) {
  packed->k = k;
  packed->n = n;
  const int64_t panels = CeilDiv(n, kPanel);
  packed->panels.Reserve(panels * k * kPanel);
  ParallelFor(exec, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* panel = packed->panels.data() + p * k * kPanel;
      const int64_t columns = std::min(kPanel, n - p * kPanel);
      if (columns < kPanel) std::fill_n(panel, k * kPanel, 0.0f);
      for (int64_t i0 = 0; i0 < k; i0 += 16) {  // 16 x 32 at a time: both sides stay in cache
        const int64_t i1 = std::min(k, i0 + 16);
        for (int64_t j = 0; j < columns; ++j) {
          const float* row = w_NK + (p * kPanel + j) * k;
          for (int64_t i = i0; i < i1; ++i) panel[i * kPanel + j] = row[i];
        }
      }
    }
  });
}

void Pack(const Exec& exec, const float* w_KN, int64_t k, int64_t n, PackedMatrix* packed) {
  packed->k = k;
  packed->n = n;
  const int64_t panels = CeilDiv(n, kPanel);
  packed->panels.Reserve(panels * k * kPanel);
  ParallelFor(exec, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* panel = packed->panels.data() + p * k * kPanel;
      const int64_t columns = std::min(kPanel, n - p * kPanel);
      for (int64_t i = 0; i < k; ++i) {
        std::copy_n(w_KN + i * n + p * kPanel, columns, panel + i * kPanel);
        std::fill_n(panel + i * kPanel + columns, kPanel - columns, 0.0f);
      }
    }
  });
}

void Matmul(const Exec& exec, const float* a, int64_t lda, int64_t m, const PackedMatrix& b,
            float* c, int64_t ldc, const float* bias, bool accumulate) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  const int64_t panels = CeilDiv(b.n, kPanel);
  if (m == 0 || panels == 0) return;
  const int64_t unit_rows = UnitRows(m, panels, kernels.tile_rows, Threads(exec));
  // Unit u is panel u % panels of row block u / panels; a thread takes consecutive ones.
  ParallelFor(exec, CeilDiv(m, unit_rows) * panels, 1, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t row = begin / panels * unit_rows, panel = begin % panels;
      const int64_t count = std::min(end - begin, panels - panel), column = panel * kPanel;
      kernels.block({.a = a + row * lda,
                     .lda = lda,
                     .rows = std::min(unit_rows, m - row),
                     .panels = b.panels.data() + panel * b.k * kPanel,
                     .k = b.k,
                     .columns = std::min(count * kPanel, b.n - column),
                     .c = c + row * ldc + column,
                     .ldc = ldc,
                     .bias = bias == nullptr || accumulate ? nullptr : bias + column,
                     .accumulate = accumulate});
      begin += count;
    }
  });
}

void MatmulGradWeight(const Exec& exec, const float* dy_TN, int64_t ld_dy, const float* x_TK,
                      int64_t ld_x, int64_t t, int64_t n, int64_t k, float* dw_NK) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  if (t == 0 || n == 0 || k == 0) return;
  const int64_t tile = kernels.tile_rows, row_tiles = CeilDiv(n, tile), panels = CeilDiv(k, kPanel);
  const int64_t threads = Threads(exec), grid_rows = GridRows(row_tiles, panels, threads);
  const int64_t rows = CeilDiv(row_tiles, grid_rows) * tile;
  const int64_t columns = CeilDiv(panels, threads / grid_rows) * kPanel;
  const int64_t column_parts = CeilDiv(k, columns);
  ParallelFor(exec, CeilDiv(n, rows) * column_parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t row = part / column_parts * rows, column = part % column_parts * columns;
      kernels.grad_weight({.dy = dy_TN + row,
                           .ld_dy = ld_dy,
                           .x = x_TK + column,
                           .ld_x = ld_x,
                           .t = t,
                           .n = std::min(rows, n - row),
                           .k = std::min(columns, k - column),
                           .dw = dw_NK + row * k + column,
                           .ld_dw = k,
                           .scratch = Scratch(kernels.grad_scratch)});
    }
  });
}

void BiasGrad(const Exec& exec, const float* dy_TN, int64_t ld_dy, int64_t t, int64_t n,
              float* db_N) {
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < t; ++i) {
      for (int64_t j = begin; j < end; ++j) db_N[j] += dy_TN[i * ld_dy + j];
    }
  });
}

}  // namespace hone::kernels
