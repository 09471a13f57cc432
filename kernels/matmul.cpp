// Packing, and the partition of the products among threads.
#include "kernels/matmul.h"

#include <algorithm>
#include <numeric>

#include "kernels/matmul_partition.h"

namespace hone::kernels {
namespace {

// Threads split [n / tile] x [k / 32] in a grid; this many along n, the rest along k: so that the
// largest part is smallest, and then what a thread packs: its columns of x, and, for twice the
// cost, its rows of dw.
int64_t GridRows(int64_t row_tiles, int64_t tile, int64_t panels, int64_t threads) {
  int64_t best = 1, best_work = INT64_MAX, best_packed = INT64_MAX;
  for (int64_t grid = 1; grid <= threads; ++grid) {
    if (threads % grid != 0) continue;
    const int64_t rows = CeilDiv(row_tiles, grid), columns = CeilDiv(panels, threads / grid);
    const int64_t work = rows * columns, packed = 2 * rows * tile + columns * kPanel;
    if (work < best_work || (work == best_work && packed < best_packed)) {
      best = grid, best_work = work, best_packed = packed;
    }
  }
  return best;
}

// c[m, n] = from + a[m, k] B + bias[n], of which after(part) takes each part.
template <class After>
void Product(const Exec& exec, const float* a, int64_t lda, int64_t m, const PackedMatrix& b,
             float* c, int64_t ldc, const float* bias, const float* from, int64_t together,
             const After& after) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  const auto unit_product = [&](const MatmulUnit& unit) {
    MatmulBlock block = BlockOf(kernels, unit, a, lda, b, unit.panel, unit.panels, c, ldc, bias);
    const int64_t column = unit.panel * kPanel;
    if (from != nullptr) block.from = from + unit.row * ldc + column;
    kernels.block(block);
    after(OutputPart{unit.row, unit.rows, column, block.columns});
  };
  ForUnits(exec, m, b.n, kernels.tile_rows, kMostRows, unit_product, together);
}

}  // namespace

PackedMatrix PackTransposed(const Exec& exec, const float* w_NK, int64_t n, int64_t k,
                            float* panels) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  ParallelFor(exec, CeilDiv(n, kPanel), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* panel = panels + p * k * kPanel;
      const int64_t columns = std::min(kPanel, n - p * kPanel);
      if (columns < kPanel) std::fill_n(panel, k * kPanel, 0.0f);
      kernels.transpose(w_NK + p * kPanel * k, k, columns, k, panel, kPanel);
    }
  });
  return {.k = k, .n = n, .panels = panels};
}

PackedMatrix PackTransposed(const Exec& exec, const float* w_NK, int64_t n, int64_t k,
                            uint32_t* pairs) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  const int64_t stride = PackedPairs(kPanel, k);
  ParallelFor(exec, CeilDiv(n, kPanel), 1, [&](int64_t begin, int64_t end) {
    float* panel = Scratch(k * kPanel);
    for (int64_t p = begin; p < end; ++p) {
      PackTransposed({nullptr, exec.isa}, w_NK + p * kPanel * k, std::min(kPanel, n - p * kPanel),
                     k, panel);
      kernels.pack_pairs(panel, k, pairs + p * stride);
    }
  });
  return {.k = k, .n = n, .bf16_pairs = pairs};
}

void PackRows(const Exec& exec, const float* x, int64_t ld, int64_t rows, int64_t n, int64_t k,
              int64_t row, float* panels) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  ParallelFor(exec, rows, 16, [&](int64_t begin, int64_t end) {
    kernels.pack_rows(x + begin * ld, ld, end - begin, n, panels + (row + begin) * kPanel,
                      k * kPanel);
  });
}

void TransposeRows(const Exec& exec, const float* x, int64_t ld, int64_t rows, int64_t columns,
                   float* to, int64_t stride) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  ParallelFor(exec, rows, 16, [&](int64_t begin, int64_t end) {
    kernels.transpose(x + begin * ld, ld, end - begin, columns, to + begin, stride);
  });
}

void Matmul(const Exec& exec, const float* a, int64_t lda, int64_t m, const PackedMatrix& b,
            float* c, int64_t ldc, const float* bias, const float* from) {
  Product(exec, a, lda, m, b, c, ldc, bias, from, 1, [](const OutputPart&) {});
}

void MatmulThen(const Exec& exec, const float* a, int64_t lda, int64_t m, const PackedMatrix& b,
                float* c, int64_t ldc, const float* bias, int64_t whole,
                FunctionRef<void(const OutputPart&)> after) {
  Product(exec, a, lda, m, b, c, ldc, bias, nullptr, std::lcm(whole, kPanel) / kPanel, after);
}

void MatmulGradInput(const Exec& exec, const float* dy_TN, int64_t ld_dy, const float* w_NK,
                     int64_t t, int64_t n, int64_t k, float* dx_TK, int64_t ld_dx,
                     bool accumulate) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  ForUnits(exec, t, k, kernels.tile_rows, kAllRows, [&](const MatmulUnit& unit) {
    const int64_t column = unit.panel * kPanel;
    kernels.rows_block({.a = dy_TN + unit.row * ld_dy,
                        .lda = ld_dy,
                        .rows = unit.rows,
                        .b = w_NK + column,
                        .ldb = k,
                        .k = n,
                        .columns = std::min(unit.panels * kPanel, k - column),
                        .c = dx_TK + unit.row * ld_dx + column,
                        .ldc = ld_dx,
                        .accumulate = accumulate,
                        .scratch = Scratch(kernels.scratch)});
  });
}

void MatmulGradWeight(const Exec& exec, const float* dy_TN, int64_t ld_dy, const float* x_TK,
                      int64_t ld_x, int64_t t, int64_t n, int64_t k, float* dw_NK) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  if (t == 0 || n == 0 || k == 0) return;
  const int64_t tile = kernels.tile_rows, row_tiles = CeilDiv(n, tile), panels = CeilDiv(k, kPanel);
  const int64_t threads = Threads(exec), grid_rows = GridRows(row_tiles, tile, panels, threads);
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
                           .scratch = Scratch(kernels.scratch)});
    }
  });
}

void BiasGrad(const Exec& exec, const float* dy_NT, int64_t ld, int64_t n, int64_t t, float* db_N) {
  const MatmulKernels& kernels = HONE_ISA_KERNELS(exec.isa, kMatmul);
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    kernels.row_sums(dy_NT + begin * ld, ld, end - begin, t, db_N + begin);
  });
}

}  // namespace hone::kernels
