// The inner part of attention.cpp for one ISA: tiles of queries against pages of 16 keys.
#include "kernels/attention_passes.h"
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

// Queries [first, last) in groups of 8, 4, 2 and 1: body(Count<size>(), first of the group).
template <class Body>
HONE_SIMD void ForGroups(int first, int last, const Body& body) {
  for (int i = first; i < last;) {
    const int left = last - i;
    if constexpr (kMaxQueries >= 8) {
      if (left >= 8) {
        body(Count<8>(), i);
        i += 8;
        continue;
      }
    }
    if constexpr (kMaxQueries >= 4) {
      if (left >= 4) {
        body(Count<4>(), i);
        i += 4;
        continue;
      }
    }
    if (left >= 2) {
      body(Count<2>(), i);
      i += 2;
    } else {
      body(Count<1>(), i);
      i += 1;
    }
  }
}

// Runs of queries of one sequence: body(first, last).
template <class Body>
HONE_SIMD void ForSequences(const AttentionTile& tile, const Body& body) {
  for (int first = 0; first < tile.queries;) {
    int last = first + 1;
    while (last < tile.queries && tile.pages[last] == tile.pages[first]) ++last;
    body(first, last);
    first = last;
  }
}

int64_t FirstSeen(const AttentionTile& tile, int query) {
  const int32_t position = tile.position[query];
  return tile.window == 0 || position < tile.window ? 0 : position - tile.window + 1;
}

int64_t PagesSeen(const AttentionTile& tile, int last) { return tile.position[last - 1] / 16 + 1; }

// Where a tile's pages lie: in the cache, or (transposed copies) by slot.
struct PageLists {
  const float* base;
  const int32_t* const* lists;   // of each query
  const float* ahead = nullptr;  // the pages that are read after these, by the same lists
};

// Scores of all queries: the shared pages once for the tile, each sequence's own ones after them.
// With a window there are no shared pages, and those before it are left out.
void ScoreTile(const AttentionTile& tile, const float* const* rows, const PageLists& keys,
               float* scores, int64_t stride) {
  const auto score = [&](int first, int last, int64_t first_page, int64_t last_page) {
    ForGroups(first, last, [&](auto count, int i) {
      Score<decltype(count)::kValue>(rows + i, tile.head_dim, keys.base, keys.ahead, keys.lists[i],
                                     first_page, last_page, tile.page_stride, scores + i * stride,
                                     stride);
    });
  };
  const int64_t shared = tile.shared_pages;
  if (shared > 0) score(0, tile.queries, 0, shared);
  ForSequences(tile, [&](int first, int last) {
    const int64_t begin = tile.window == 0 ? shared : FirstSeen(tile, first) / 16;
    score(first, last, begin, PagesSeen(tile, last));
  });
}

// out[q] = chain over the keys that q sees of weights[q][j] * values[j]. Keys that several queries
// see in one pass, the rest query by query: a key that a query does not see is never touched,
// whatever it holds.
void WeighTile(const AttentionTile& tile, const float* weights, int64_t stride,
               const PageLists& values) {
  for (int q = 0; q < tile.queries; ++q) {
    for (int64_t i = 0; i < tile.head_dim; ++i) tile.out[q][i] = 0;
  }
  const auto weigh = [&](int first, int last, int64_t first_key, int64_t last_key) {
    ForGroups(first, last, [&](auto count, int i) {
      const bool known = tile.next != nullptr && i < tile.next->queries;
      const Ahead ahead =
          known ? Ahead{tile.next->keys, tile.next->pages[i], PagesSeen(*tile.next, i + 1)}
                : Ahead{nullptr, nullptr, 0};
      WeighAllColumns<decltype(count)::kValue>(weights + i * stride, stride, values.base,
                                               values.lists[i], ahead, tile.page_stride,
                                               tile.head_dim, first_key, last_key, tile.out + i);
    });
  };
  const int64_t shared = tile.shared_pages * 16;
  if (shared > 0) weigh(0, tile.queries, 0, shared);
  ForSequences(tile, [&](int first, int last) {
    const int64_t common = tile.position[first] + 1;
    int64_t begin = shared;  // of the common keys
    if (tile.window > 0) {
      begin = Smaller(FirstSeen(tile, last - 1), common);
      for (int q = first; q < last; ++q) weigh(q, q + 1, FirstSeen(tile, q), begin);
    }
    weigh(first, last, begin, common);
    for (int q = first; q < last; ++q) {
      const int64_t next =
          tile.window == 0 || FirstSeen(tile, q) < common ? common : FirstSeen(tile, q);
      weigh(q, q + 1, next, tile.position[q] + 1);
    }
  });
}

constexpr float kMinusInfinity = -__builtin_inff();

// The rarer tasks of a softmax: scores[begin … n) to cap * tanh(scale * score / cap), and what lies
// before them in begin's group of 16 to minus infinity.
void CapAndMask(float* scores, int64_t begin, int64_t n, float scale, float cap) {
  const int64_t first = begin / 16 * 16;
  if (cap > 0) {
    for (int64_t j = first; j < n; j += 16) {
      const F32x16 score = Mul(Load(scores + j), Set(scale));
      Store(scores + j, Mul(Set(cap), Tanh(Div(score, Set(cap)))));
    }
  }
  for (int64_t j = first; j < begin; ++j) scores[j] = kMinusInfinity;
}

// scores[begin … n) to exp(scale * score - max), zeros up to the multiples of 16 around them.
void Softmax(float* scores, int64_t begin, int64_t n, float scale, float* max, float* sum) {
  begin = begin / 16 * 16;
  F32x16 maxima = Set(kMinusInfinity);
  for (int64_t j = begin; j < n; j += 16) {
    const F32x16 score = Mul(Load(scores + j), Set(scale));
    Store(scores + j, score);
    maxima = Max(maxima, Select(FirstLanes(Smaller(16, n - j)), score, Set(kMinusInfinity)));
  }
  *max = MaxLanes(maxima);
  F32x16 sums = Zero();
  for (int64_t j = begin; j < n; j += 16) {
    const F32x16 e = Exp(Sub(Load(scores + j), Set(*max)));
    const F32x16 seen = Select(FirstLanes(Smaller(16, n - j)), e, Zero());
    Store(scores + j, seen);
    sums = Add(sums, seen);
  }
  *sum = SumLanes(sums);
}

void Forward(const AttentionTile& tile) {
  const int64_t d = tile.head_dim, stride = tile.score_stride;
  float* scores = tile.scratch;
  ScoreTile(tile, tile.q, {tile.keys, tile.pages, tile.values}, scores, stride);
  float sum[kQueryTile];
  for (int q = 0; q < tile.queries; ++q) {
    const int64_t begin = FirstSeen(tile, q), n = tile.position[q] + 1;
    const bool capped = tile.softcap > 0;
    if (capped || begin % 16 != 0) {
      CapAndMask(scores + q * stride, begin, n, tile.scale, tile.softcap);
    }
    float max;
    Softmax(scores + q * stride, begin, n, capped ? 1 : tile.scale, &max, &sum[q]);
    if (tile.stats[q] == nullptr) continue;
    tile.stats[q][0] = max;
    tile.stats[q][1] = sum[q];
  }
  WeighTile(tile, scores, stride, {tile.values, tile.pages});
  for (int q = 0; q < tile.queries; ++q) {
    float* out = tile.out[q];
    for (int64_t i = 0; i < d; i += 16) {
      const int64_t n = Smaller(16, d - i);
      StoreN(out + i, Div(LoadN(out + i, n), Set(sum[q])), n);
    }
  }
}

float Dot(const float* a, const float* b, int64_t n) {
  F32x16 sum = Zero();
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t count = Smaller(16, n - i);
    sum = Fma(LoadN(a + i, count), LoadN(b + i, count), sum);
  }
  return SumLanes(sum);
}

// One vector of the backward's weights: probability p, and ds, the gradient by the score before its
// scale.
struct ScoreGrad {
  F32x16 p, ds;
};
HONE_SIMD ScoreGrad GradOfScores(F32x16 score, F32x16 dp, float scale, float cap, float max,
                                 float inv_sum, float delta, int64_t visible) {
  const Mask16 mask = FirstLanes(Smaller(16, visible));
  F32x16 value = Mul(score, Set(scale)), slope = Set(1);
  if (cap > 0) {
    value = Mul(Set(cap), Tanh(Div(value, Set(cap))));
    const F32x16 tanh = Div(value, Set(cap));
    slope = Fma(Neg(tanh), tanh, slope);
  }
  const F32x16 p = Mul(Exp(Sub(value, Set(max))), Set(inv_sum));
  const F32x16 ds = Mul(Mul(Mul(p, Sub(dp, Set(delta))), slope), Set(scale));
  return {Select(mask, p, Zero()), Select(mask, ds, Zero())};
}

void BackwardQueries(const AttentionTile& tile) {
  const int64_t d = tile.head_dim, stride = tile.score_stride;
  float *scores = tile.scratch, *dp = scores + kQueryTile * stride;
  ScoreTile(tile, tile.q, {tile.keys, tile.pages}, scores, stride);
  ScoreTile(tile, tile.dout, {tile.values_by_dim, tile.slots}, dp, stride);
  for (int q = 0; q < tile.queries; ++q) {
    const float delta = Dot(tile.dout[q], tile.forward_out[q], d);
    *tile.delta[q] = delta;
    const float max = tile.forward_stats[q][0];
    const float inv_sum = 1.0f / tile.forward_stats[q][1];
    const int64_t n = tile.position[q] + 1;
    for (int64_t j = FirstSeen(tile, q) / 16 * 16; j < n; j += 16) {
      float* score = scores + q * stride + j;
      const F32x16 dp_j = Load(dp + q * stride + j);
      const ScoreGrad grad =
          GradOfScores(Load(score), dp_j, tile.scale, tile.softcap, max, inv_sum, delta, n - j);
      Store(score, grad.ds);
      if (tile.kept_pages[q] == nullptr) continue;
      const int64_t at = tile.kept_pages[q][j / 16] + tile.kept_row[q];
      Store(tile.p + at, grad.p);
      Store(tile.ds + at, grad.ds);
    }
  }
  WeighTile(tile, scores, stride, {tile.keys_by_row, tile.slots});
}

// grad[row … row + kRows)[begin …] += chain over queries of weights[query][row] * x[query].
template <int kRows, int kVectors>
void AddOuter(const float* weights, const float* const* x, int queries, int64_t d, int64_t row,
              int64_t begin, int64_t n, float* grad) {
  F32x16 sum[kRows][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const float* from = grad + (row + r) * d + begin + v * 16;
      sum[r][v] = kVectors > 1 ? Load(from) : LoadN(from, n);
    }
  }
  for (int q = 0; q < queries; ++q) {
    F32x16 value[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      value[v] = kVectors > 1 ? Load(x[q] + begin + v * 16) : LoadN(x[q] + begin, n);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const F32x16 weight = Set(weights[q * 16 + row + r]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Fma(weight, value[v], sum[r][v]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* to = grad + (row + r) * d + begin + v * 16;
      if (kVectors > 1) {
        Store(to, sum[r][v]);
      } else {
        StoreN(to, sum[r][v], n);
      }
    }
  }
}

void AddOuterPage(const float* weights, const float* const* x, int queries, int64_t d,
                  float* grad) {
  constexpr int kRows = 4, kVectors = kAccumulators / kRows > 0 ? kAccumulators / kRows : 1;
  for (int64_t row = 0; row < 16; row += kRows) {
    int64_t begin = 0;
    for (; begin + kVectors * 16 <= d; begin += kVectors * 16) {
      AddOuter<kRows, kVectors>(weights, x, queries, d, row, begin, 16, grad);
    }
    for (; begin < d; begin += 16) {
      AddOuter<kRows, 1>(weights, x, queries, d, row, begin, Smaller(16, d - begin), grad);
    }
  }
}

// p and ds [query][16] of queries [first, first + kQueries).
template <int kQueries>
void KeyWeights(const AttentionKeyBlock& block, int first, float* p, float* ds) {
  const int64_t d = block.head_dim;
  const int32_t page = 0;
  float scores[kQueries * 16], dp[kQueries * 16];
  Score<kQueries>(block.q + first, d, block.keys, nullptr, &page, 0, 1, 0, scores, 16);
  Score<kQueries>(block.dout + first, d, block.values_by_dim, nullptr, &page, 0, 1, 0, dp, 16);
  for (int q = 0; q < kQueries; ++q) {
    const int i = first + q;
    const ScoreGrad grad =
        GradOfScores(Load(scores + q * 16), Load(dp + q * 16), block.scale, block.softcap,
                     block.stats[i][0], 1.0f / block.stats[i][1], block.delta[i], block.visible[i]);
    const Mask16 before = FirstLanes(block.first[i]);
    Store(p + i * 16, Select(before, Zero(), grad.p));
    Store(ds + i * 16, Select(before, Zero(), grad.ds));
  }
}

void BackwardKeys(const AttentionKeyBlock& block) {
  if (block.p != nullptr) {
    AddOuterPage(block.ds, block.q, block.queries, block.head_dim, block.grad_k);
    AddOuterPage(block.p, block.dout, block.queries, block.head_dim, block.grad_v);
    return;
  }
  float p[kKeyQueries * 16], ds[kKeyQueries * 16];
  int i = 0;
  for (; i + kMaxQueries <= block.queries; i += kMaxQueries) {
    KeyWeights<kMaxQueries>(block, i, p, ds);
  }
  for (; i < block.queries; ++i) KeyWeights<1>(block, i, p, ds);
  AddOuterPage(ds, block.q, block.queries, block.head_dim, block.grad_k);
  AddOuterPage(p, block.dout, block.queries, block.head_dim, block.grad_v);
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const AttentionKernels kAttention = {Forward, BackwardQueries, BackwardKeys};
}

}  // namespace hone::kernels
