// The inner loops of attention: some queries against pages of 16 keys, and weights against values.
// Included by attention_cpu.cpp alone.
#pragma once

#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

// Queries that share a pass, and the accumulators (16 lanes each) that fit the registers beside
// them.
#if defined(__AVX512F__)
constexpr int kMaxQueries = 8, kAccumulators = 16;
#elif defined(__AVX2__)
constexpr int kMaxQueries = 4, kAccumulators = 4;
#else
constexpr int kMaxQueries = 2, kAccumulators = 2;
#endif

template <int n>
struct Count {
  static constexpr int kValue = n;
};

// scores[q * stride + page * 16 + lane] = chain over d of rows[q][d] * keys[page][d][lane].
// `ahead`: what is read after the keys, in pages of the same size, or null.
template <int kQueries, int kPages>
void ScorePages(const float* const* rows, int64_t d, const float* keys, const float* ahead,
                const int32_t* pages, int64_t page_stride, float* scores, int64_t stride) {
  const float *query[kQueries], *page[kPages], *next[kPages];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) query[q] = rows[q];
  for (int p = 0; p < kPages; ++p) {
    page[p] = keys + pages[p] * page_stride;
    next[p] = ahead == nullptr ? page[p] : ahead + pages[p] * page_stride;
  }
  F32x16 sum[kQueries][kPages];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int p = 0; p < kPages; ++p) sum[q][p] = Zero();
  }
  for (int64_t i = 0; i < d; ++i) {
#pragma GCC unroll 8
    for (int p = 0; p < kPages; ++p) {
      const F32x16 key = Load(page[p] + i * 16);
      __builtin_prefetch(next[p] + i * 16, 0, 2);
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) {
        sum[q][p] = Fma(Set(query[q][i]), key, sum[q][p]);
      }
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int p = 0; p < kPages; ++p) Store(scores + q * stride + p * 16, sum[q][p]);
  }
}

// As many pages side by side as the registers take: one alone would wait for each fma to end.
template <int kQueries>
void Score(const float* const* rows, int64_t d, const float* keys, const float* ahead,
           const int32_t* pages, int64_t first_page, int64_t last_page, int64_t page_stride,
           float* scores, int64_t stride) {
  constexpr int kPages = kAccumulators / kQueries > 4 ? 4 : kAccumulators / kQueries;
  const auto score = [&](auto count, int64_t p) {
    ScorePages<kQueries, decltype(count)::kValue>(rows, d, keys, ahead, pages + p, page_stride,
                                                  scores + p * 16, stride);
  };
  int64_t p = first_page;
  for (; p + kPages <= last_page; p += kPages) score(Count<kPages>(), p);
  const int64_t left = last_page - p;
  if constexpr (kPages > 3) {
    if (left == 3) return score(Count<3>(), p);
  }
  if constexpr (kPages > 2) {
    if (left == 2) return score(Count<2>(), p);
  }
  if (left == 1) score(Count<1>(), p);
}

// Pages that are read after those at hand, and as much of them is asked for as is read of those.
struct Ahead {
  const float* base;  // of page 0
  const int32_t* pages;
  int64_t count;
};

// out[q][begin … begin + 16 kVectors) += chain over keys [first, last) of weights[q][j] *
// values[j], `n` of the last vector's columns.
template <int kQueries, int kVectors>
void WeighValues(const float* weights, int64_t stride, const float* values, const int32_t* pages,
                 const Ahead& ahead, int64_t page_stride, int64_t d, int64_t first, int64_t last,
                 int64_t begin, int64_t n, float* const* out) {
  F32x16 sum[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const float* from = out[q] + begin + v * 16;
      sum[q][v] = kVectors > 1 ? Load(from) : LoadN(from, n);
    }
  }
  for (int64_t j = first; j < last;) {
    const int64_t slot = j % 16, count = Smaller(16 - slot, last - j);
    const float* row = values + pages[j / 16] * page_stride + slot * d + begin;
    const float* next = j / 16 < ahead.count
                            ? ahead.base + ahead.pages[j / 16] * page_stride + slot * d + begin
                            : row;
    for (int64_t i = 0; i < count; ++i, ++j, row += d, next += d) {
      F32x16 value[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        value[v] = kVectors > 1 ? Load(row + v * 16) : LoadN(row, n);
        __builtin_prefetch(next + v * 16, 0, 2);
      }
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) {
        const F32x16 weight = Set(weights[q * stride + j]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[q][v] = Fma(weight, value[v], sum[q][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      float* to = out[q] + begin + v * 16;
      if (kVectors > 1) {
        Store(to, sum[q][v]);
      } else {
        StoreN(to, sum[q][v], n);
      }
    }
  }
}

template <int kQueries>
void WeighAllColumns(const float* weights, int64_t stride, const float* values,
                     const int32_t* pages, const Ahead& ahead, int64_t page_stride, int64_t d,
                     int64_t first, int64_t last, float* const* out) {
  constexpr int kVectors = kAccumulators / kQueries > 4 ? 4 : kAccumulators / kQueries;
  if (first >= last) return;
  int64_t begin = 0;
  for (; begin + kVectors * 16 <= d; begin += kVectors * 16) {
    WeighValues<kQueries, kVectors>(weights, stride, values, pages, ahead, page_stride, d, first,
                                    last, begin, 16, out);
  }
  for (; begin < d; begin += 16) {
    WeighValues<kQueries, 1>(weights, stride, values, pages, ahead, page_stride, d, first, last,
                             begin, Smaller(16, d - begin), out);
  }
}

}  // namespace
}  // namespace hone::kernels
