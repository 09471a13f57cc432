// Causal attention with grouped queries over a paged cache.
//
// Contract, for the query at position p of a head: score j (j = 0 … p; with a window, from
// p - window + 1 on) is one chain of fma over head_dim, then times the scale (and, with a soft cap,
// cap * Tanh(that / cap)); the maximum is exact; e_j = Exp(score_j - max); the sum of e_j
// runs in 16 virtual lanes (j mod 16, in order of j) and a fixed tree; output d is one chain of fma
// over j of e_j * v_j[d], divided by the sum at the end. So nothing depends on pages, chunks, batch
// or threads.
//
// Cache layout of one layer, both float: keys [page][kv_head][head_dim][16] (transposed: 16
// positions side by side), values [page][kv_head][16][head_dim].
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

inline constexpr int32_t kPagePositions = 16;

struct AttentionShape {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int32_t window = 0;  // keys that a query sees, its own included; 0: all up to its own
  float scale = 0;     // of scores; 0: 1 / sqrt(head_dim)
  float softcap = 0;   // 0: none
};
// The scale in force.
float ScoreScale(const AttentionShape& shape);
// The first key that the query at `position` sees.
inline int32_t FirstKey(int32_t window, int32_t position) {
  return window == 0 || position < window ? 0 : position - window + 1;
}

// Rows [first_row, first_row + rows) are positions [position, position + rows) of one sequence;
// page i of it is pages[i].
struct AttentionSpan {
  int32_t first_row = 0, rows = 0, position = 0;
  const int32_t* pages = nullptr;
};

// Writes keys and values k, v [t, kv_heads, head_dim] (row stride ld) into the pages of their
// spans.
void WriteKv(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
             int64_t num_spans, const float* k, const float* v, int64_t ld, float* cache_k,
             float* cache_v);
// Rows of a batch and kv heads of them.
struct KvPart {
  int64_t row, rows, head, heads;
};
// The same of a part of the keys, or values, kv [t, kv_heads, head_dim], by the calling thread. The
// spans cover the part's rows, in order.
void WriteKeys(Isa isa, const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
               const KvPart& part, const float* kv, int64_t ld, float* cache_k);
void WriteValues(const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
                 const KvPart& part, const float* kv, int64_t ld, float* cache_v);
// Copies the first `slots` positions of one page to another.
void CopyKvPage(const AttentionShape& shape, int32_t source, int32_t target, int32_t slots,
                float* cache_k, float* cache_v);

// q, out [t, heads, head_dim] with row strides ld_q, ld_out. `stats` [t, heads, 2] receives the
// maximum and the sum of each softmax for the backward; may be null.
void Attention(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
               int64_t num_spans, const float* q, int64_t ld_q, const float* cache_k,
               const float* cache_v, float* out, int64_t ld_out, float* stats);

// Backward. dq [t, heads, head_dim] is written; the gradients of keys and values are added to
// grad_k and grad_v, paged as [page][kv_head][16][head_dim] both. `out` and `stats` are the
// forward's. Work is split by kv head (and by nothing that would reorder a sum): the order of
// spans, rows and keys is fixed.
void AttentionBackward(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
                       int64_t num_spans, const float* q, int64_t ld_q, const float* cache_k,
                       const float* cache_v, const float* out, int64_t ld_out, const float* stats,
                       const float* dout, int64_t ld_dout, float* dq, int64_t ld_dq, float* grad_k,
                       float* grad_v);
// The backward of CopyKvPage: adds the first `slots` positions of target's gradient to source's and
// clears them.
void CopyKvPageBackward(const AttentionShape& shape, int32_t source, int32_t target, int32_t slots,
                        float* grad_k, float* grad_v);
// The backward of WriteKv: gathers the gradients of the spans' rows into dk, dv [t, kv_heads,
// head_dim].
void ReadKvGrad(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
                int64_t num_spans, const float* grad_k, const float* grad_v, float* dk, float* dv,
                int64_t ld);

namespace reference {
void Attention(const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
               const float* q, int64_t ld_q, const float* cache_k, const float* cache_v, float* out,
               int64_t ld_out, float* stats);
void AttentionBackward(const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
                       const float* q, int64_t ld_q, const float* cache_k, const float* cache_v,
                       const float* out, int64_t ld_out, const float* stats, const float* dout,
                       int64_t ld_dout, float* dq, int64_t ld_dq, float* grad_k, float* grad_v);
}  // namespace reference
}  // namespace hone::kernels
