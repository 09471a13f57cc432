// Matrix products. Contract: each output is one chain of fused multiply-adds in order of the
// reduced index, starting from 0 (or from what the output held, when accumulating), the bias added
// last. So a row's bits do not depend on the other rows, on threads or on vector width: lanes run
// along the output columns. Row-major everywhere.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

inline constexpr int64_t kPanel = 32;  // columns of a packed panel

// The right-hand side B [k, n] of a product, in panels of 32 columns, columns past n zero. Panel p
// is [k][32] floats; or, of numbers of bf16, [k / 2 rounded up][32] words, a pair of steps of k in
// each: (2 i, column) in the lower half, (2 i + 1, column) in the upper. The product is that of the
// floats they stand for. The memory is another's, so that many matrices can lie in one piece.
struct PackedMatrix {
  int64_t k = 0, n = 0;
  const float* panels = nullptr;         // aligned to 64 bytes
  const uint32_t* bf16_pairs = nullptr;  // in place of them, aligned likewise
};

// Floats that the panels of a matrix take; words that they take in pairs of bf16.
inline int64_t PackedSize(int64_t n, int64_t k) { return (n + kPanel - 1) / kPanel * kPanel * k; }
inline int64_t PackedPairs(int64_t n, int64_t k) { return PackedSize(n, (k + 1) / 2); }
// Floats, or words, from one panel to the next.
inline int64_t PanelStride(const PackedMatrix& b) {
  return kPanel * (b.bf16_pairs == nullptr ? b.k : (b.k + 1) / 2);
}

// B[i][j] = w[j][i]: packs a linear layer's weight w [n, k] for  y = x wᵀ  into `panels`, of
// PackedSize(n, k).
PackedMatrix PackTransposed(const Exec& exec, const float* w_NK, int64_t n, int64_t k,
                            float* panels);
// The same of numbers of bf16 (floats whose lower 16 bits are zero) into `pairs`, of
// PackedPairs(n, k).
PackedMatrix PackTransposed(const Exec& exec, const float* w_NK, int64_t n, int64_t k,
                            uint32_t* pairs);

// B[row + i][j] = x[i][j] for `rows` rows of x [rows, n], row stride ld: packs some rows of a B
// [k, n] that lies as it is. Other rows may be packed at the same time.
void PackRows(const Exec& exec, const float* x, int64_t ld, int64_t rows, int64_t n, int64_t k,
              int64_t row, float* panels);

// to[j * stride + i] = x[i * ld + j] of x [rows, columns].
void TransposeRows(const Exec& exec, const float* x, int64_t ld, int64_t rows, int64_t columns,
                   float* to, int64_t stride);

// c[m, n] = from + a[m, k] B + bias[n]; without `from` the chains start from 0. `from` has c's rows
// and may be c. lda/ldc: row strides in elements.
void Matmul(const Exec& exec, const float* a, int64_t lda, int64_t m, const PackedMatrix& b,
            float* c, int64_t ldc, const float* bias = nullptr, const float* from = nullptr);

// Rows and columns of an output.
struct OutputPart {
  int64_t row, rows, column, columns;
};
// The same without `from`, and after(part) of each part of c as soon as it is there, by the thread
// that computed it. A part's columns begin and end at multiples of `whole` (or at n): heads, say,
// of which a thread computes all of what it computes of one.
void MatmulThen(const Exec& exec, const float* a, int64_t lda, int64_t m, const PackedMatrix& b,
                float* c, int64_t ldc, const float* bias, int64_t whole,
                FunctionRef<void(const OutputPart&)> after);

// dx[t, k] = dy[t, n] w[n, k] (or, with `accumulate`, added to): input gradients, the backward of
// y = x wᵀ. w is taken as it lies; its panels are packed on the way, so it pays for many rows.
void MatmulGradInput(const Exec& exec, const float* dy_TN, int64_t ld_dy, const float* w_NK,
                     int64_t t, int64_t n, int64_t k, float* dx_TK, int64_t ld_dx,
                     bool accumulate = false);

// dw[n, k] += dyᵀ x: dw[j][i] = chain over t of dy[t][j] * x[t][i]. Weight gradients; the chain
// goes on from what dw holds, so micro-batches of any cut give the same bits.
void MatmulGradWeight(const Exec& exec, const float* dy_TN, int64_t ld_dy, const float* x_TK,
                      int64_t ld_x, int64_t t, int64_t n, int64_t k, float* dw_NK);

// db[n] += the row sums of dyᵀ [n, t], row stride ld; each a chain over t.
void BiasGrad(const Exec& exec, const float* dy_NT, int64_t ld, int64_t n, int64_t t, float* db_N);

namespace reference {
void Matmul(const float* a, int64_t lda, int64_t m, const float* b_KN, int64_t k, int64_t n,
            float* c, int64_t ldc, const float* bias, bool accumulate);
void MatmulGradWeight(const float* dy_TN, int64_t ld_dy, const float* x_TK, int64_t ld_x, int64_t t,
                      int64_t n, int64_t k, float* dw_NK);
}  // namespace reference
}  // namespace hone::kernels
