// The seam between a public kernel (threads, partition, scratch) and its inner part, which is
// compiled once for each instruction set: one table of functions an op and ISA.
#pragma once

#include <cstdint>

#include "kernels/exec.h"
#include "kernels/gated.h"
#include "kernels/rows_at.h"

namespace hone::kernels {

// c[rows, columns] = a[rows, k] times consecutive panels [k][32] of a packed matrix.
struct MatmulBlock {
  const float* a;
  int64_t lda, rows;
  const float* panels;         // the first of them
  const uint32_t* bf16_pairs;  // in place of them
  int64_t panel_stride;        // floats, or words, from one to the next
  int64_t k, columns;          // the last panel may be partly used
  float* c;
  int64_t ldc;
  const float* bias;  // [columns] or null
  const float* from;  // what the chains start from, rows of ldc, may be c; null: 0
  const void* next;   // what is likely read after the panels, and asked for ahead; or null
  float* scratch;     // MatmulKernels::scratch floats, with bf16_pairs
};
// The same with b [k, columns] as it lies in memory, in rows of ldb: it is packed on the way.
struct MatmulRowsBlock {
  const float* a;
  int64_t lda, rows;
  const float* b;
  int64_t ldb, k, columns;
  float* c;
  int64_t ldc;
  bool accumulate;
  float* scratch;  // MatmulKernels::scratch floats
};
// dw[n, k] += dyᵀ x, on the calling thread.
struct GradWeightBlock {
  const float* dy;
  int64_t ld_dy;
  const float* x;
  int64_t ld_x, t, n, k;
  float* dw;
  int64_t ld_dw;
  float* scratch;  // MatmulKernels::scratch floats
};
struct MatmulKernels {
  int64_t tile_rows;
  int64_t scratch;  // floats that rows_block, grad_weight, and block with bf16_pairs need
  // source [t, columns] in rows of ld to [columns][stride].
  void (*transpose)(const float* source, int64_t ld, int64_t t, int64_t columns, float* to,
                    int64_t stride);
  // x [rows, columns] in rows of ld to panels [rows][32], `stride` floats apart; past the columns
  // zeros.
  void (*pack_rows)(const float* x, int64_t ld, int64_t rows, int64_t columns, float* panels,
                    int64_t stride);
  // A panel [k][32] of numbers of bf16 to words, a pair of steps in each.
  void (*pack_pairs)(const float* panel, int64_t k, uint32_t* pairs);
  // sums[i] += x[i][0] + x[i][1] + …, a chain, of n rows of t elements.
  void (*row_sums)(const float* x, int64_t ld, int64_t n, int64_t t, float* sums);
  void (*block)(const MatmulBlock&);
  void (*rows_block)(const MatmulRowsBlock&);
  void (*grad_weight)(const GradWeightBlock&);
};

struct RmsNormKernels {
  void (*forward)(const float* x_TD, const float* weight_D, float offset, float eps, int64_t t,
                  int64_t d, const RowsAt& y_TD, float* inv_rms_T);
  void (*backward_x)(const float* dy_TD, const float* x_TD, const float* weight_D, float offset,
                     const float* inv_rms_T, int64_t t, int64_t d, float* dx_TD);
  // Columns [begin, end) of dweight.
  void (*backward_weight)(const float* dy_TD, const float* x_TD, const float* inv_rms_T, int64_t t,
                          int64_t d, int64_t begin, int64_t end, float* dweight_D);
};

struct RopeKernels {
  // One head: x [2 * half], cos, sin [half].
  void (*rotate)(float* x, const float* cos, const float* sin, int64_t half, bool inverse);
};

struct GatedKernels {
  // One row of f elements.
  void (*forward)(const float* gate, const float* up, int64_t f, float* out);
  void (*backward)(const float* d_out, const float* gate, const float* up, int64_t f, float* d_gate,
                   float* d_up, const RowsAt& out);
};
const GatedKernels& GatedKernelsOf(const Exec& exec, Gate activation);

struct SoftCapKernels {
  void (*forward)(float* x, int64_t n, float cap);
  void (*backward)(const float* y, int64_t n, float cap, float* dy);
};

struct AdamWScalars {  // AdamWStep as the floats that enter each element
  float grad_scale, decay, one_minus_beta1, beta2, one_minus_beta2, sqrt_correction2, epsilon,
      step_size;
};
struct AdamWKernels {
  void (*update)(const AdamWScalars& scalars, const float* w, const float* grad, float* m, float* v,
                 int64_t n, float* w_out);
  double (*sum_of_squares)(const float* x, int64_t n);  // one block
};

struct LogitStats {
  float max, sum;      // of z; of exp(z - max)
  float weighted_sum;  // of exp(z - max) * (z - max)
};
struct LogitGrad {
  float temperature, log_sum_exp, entropy, dlogprob, dentropy;
  int32_t target;
};
struct SoftmaxKernels {
  LogitStats (*stats)(const float* logits_V, int64_t v, float temperature, bool entropy,
                      float* block_sums);
  void (*grad)(float* logits_V, int64_t v, const LogitGrad& grad);
  void (*exp_row)(const float* logits_V, int64_t v, float temperature, float shift,
                  float* weights_V);
  void (*exp)(const float* x, int64_t n, float* y);
};

// Up to 8 queries (rows, sequences and heads) of one kv head. Those of one sequence stand side by
// side, their positions not decreasing.
inline constexpr int kQueryTile = 8;
struct AttentionTile {
  int64_t head_dim = 0;
  int32_t window = 0;  // as in AttentionShape
  float scale = 1, softcap = 0;
  int64_t page_stride = 0;                         // floats from page to page in keys and values
  const float *keys = nullptr, *values = nullptr;  // the kv head's part of page 0
  int64_t score_stride = 0;                        // floats of a query's scores, whole pages
  float* scratch = nullptr;                        // kQueryTile * 2 of these
  const AttentionTile* next = nullptr;             // run after this one; its keys are asked for
  int queries = 0;
  // The first pages, the same of every query, of which each sees every key: read once for all.
  int32_t shared_pages = 0;
  const int32_t* pages[kQueryTile] = {};  // of the query's sequence
  int32_t position[kQueryTile] = {};  // query i sees keys … position[i], from 0 or the window's
  const float* q[kQueryTile] = {};
  float* out[kQueryTile] = {};    // the forward's output; in the backward, dq
  float* stats[kQueryTile] = {};  // receives maximum and sum, or null
  // The backward's:
  const float *forward_out[kQueryTile] = {}, *forward_stats[kQueryTile] = {};
  const float* dout[kQueryTile] = {};
  float* delta[kQueryTile] = {};          // receives the sum of dout * forward_out
  const int32_t* slots[kQueryTile] = {};  // of the sequence's pages in the transposed copies
  const float* keys_by_row = nullptr;     // [slot][kv_head][16][head_dim], the kv head's part
  const float* values_by_dim = nullptr;   // [slot][kv_head][head_dim][16]
  // Where the query's weights by the keys of page i are kept: at kept_pages[i] + kept_row in both
  // p and ds; kept_pages is null where they are not.
  float *p = nullptr, *ds = nullptr;
  const int64_t* kept_pages[kQueryTile] = {};
  int64_t kept_row[kQueryTile] = {};
};

// Up to 32 queries that see keys of one page, in the order in which their gradients are added.
inline constexpr int kKeyQueries = 32;
struct AttentionKeyBlock {
  int64_t head_dim = 0;
  float scale = 1, softcap = 0;
  const float *keys = nullptr, *values_by_dim = nullptr;  // [head_dim][16]
  float *grad_k = nullptr, *grad_v = nullptr;             // [16][head_dim]
  int queries = 0;
  // The query sees keys [first, visible) of the page, at least one.
  int32_t first[kKeyQueries] = {}, visible[kKeyQueries] = {};
  const float *q[kKeyQueries] = {}, *dout[kKeyQueries] = {}, *stats[kKeyQueries] = {};
  float delta[kKeyQueries] = {};
  // The queries' weights by the keys, [query][16], where backward_queries kept them; else null.
  const float *p = nullptr, *ds = nullptr;
};

struct AttentionKernels {
  void (*forward)(const AttentionTile&);
  void (*backward_queries)(const AttentionTile&);  // writes dq to `out`
  void (*backward_keys)(const AttentionKeyBlock&);
};

#define HONE_DECLARE_ISA_KERNELS        \
  extern const MatmulKernels kMatmul;   \
  extern const RmsNormKernels kRmsNorm; \
  extern const RopeKernels kRope;       \
  extern const GatedKernels kSwiGlu;    \
  extern const GatedKernels kGeGlu;     \
  extern const SoftCapKernels kSoftCap; \
  extern const AdamWKernels kAdamW;     \
  extern const SoftmaxKernels kSoftmax; \
  extern const AttentionKernels kAttention;

namespace scalar {
HONE_DECLARE_ISA_KERNELS
}
namespace avx2 {
HONE_DECLARE_ISA_KERNELS
}
namespace avx512 {
HONE_DECLARE_ISA_KERNELS
}
#undef HONE_DECLARE_ISA_KERNELS

// The table named `table` (kMatmul, …) of an ISA.
#ifdef HONE_KERNELS_X86
#define HONE_ISA_KERNELS(isa, table)                      \
  ((isa) == Isa::kAvx512 ? ::hone::kernels::avx512::table \
   : (isa) == Isa::kAvx2 ? ::hone::kernels::avx2::table   \
                         : ::hone::kernels::scalar::table)
#else
#define HONE_ISA_KERNELS(isa, table) (static_cast<void>(isa), ::hone::kernels::scalar::table)
#endif

}  // namespace hone::kernels
