// The contract of attention.h, one query at a time.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention.h"
#include "kernels/lanes.h"
#include "kernels/softmax.h"

namespace hone::kernels::reference {
namespace {

// One sequence's keys and values of one kv head, by position.
struct Cache {
  const AttentionShape& shape;
  const AttentionSpan& span;
  int64_t kv_head;

  int64_t Page(int64_t j) const {
    return (span.pages[j / kPagePositions] * shape.kv_heads + kv_head) * kPagePositions *
           shape.head_dim;
  }
  int64_t KeyIndex(int64_t j, int64_t d) const {
    return Page(j) + d * kPagePositions + j % kPagePositions;
  }
  int64_t ValueIndex(int64_t j, int64_t d) const {
    return Page(j) + j % kPagePositions * shape.head_dim + d;
  }
};

// Of keys first … position, by position.
std::vector<float> Scores(const Cache& cache, const float* q, const float* cache_k, int64_t first,
                          int64_t position) {
  const float scale = ScoreScale(cache.shape), cap = cache.shape.softcap;
  std::vector<float> scores(position + 1);
  for (int64_t j = first; j <= position; ++j) {
    float sum = 0;
    for (int64_t d = 0; d < cache.shape.head_dim; ++d) {
      sum = std::fma(q[d], cache_k[cache.KeyIndex(j, d)], sum);
    }
    scores[j] = cap > 0 ? cap * Tanh(sum * scale / cap) : sum * scale;
  }
  return scores;
}

void ForwardQuery(const Cache& cache, int64_t position, const float* q, const float* cache_k,
                  const float* cache_v, float* out, float* stats) {
  const int64_t first = FirstKey(cache.shape.window, static_cast<int32_t>(position));
  std::vector<float> weights = Scores(cache, q, cache_k, first, position);
  const float max = *std::max_element(weights.begin() + first, weights.end());
  float lanes[kLanes] = {};
  for (int64_t j = first; j <= position; ++j) {
    weights[j] = Exp(weights[j] - max);
    lanes[j % kLanes] += weights[j];
  }
  const float sum = TreeSum(lanes);
  for (int64_t d = 0; d < cache.shape.head_dim; ++d) {
    float weighted = 0;
    for (int64_t j = first; j <= position; ++j) {
      weighted = std::fma(weights[j], cache_v[cache.ValueIndex(j, d)], weighted);
    }
    out[d] = weighted / sum;
  }
  if (stats != nullptr) {
    stats[0] = max;
    stats[1] = sum;
  }
}

void BackwardQuery(const Cache& cache, int64_t position, const float* q, const float* cache_k,
                   const float* cache_v, const float* out, const float* stats, const float* dout,
                   float* dq, float* grad_k, float* grad_v) {
  const int64_t head_dim = cache.shape.head_dim;
  const float scale = ScoreScale(cache.shape), cap = cache.shape.softcap;
  const int64_t first = FirstKey(cache.shape.window, static_cast<int32_t>(position));
  const std::vector<float> scores = Scores(cache, q, cache_k, first, position);
  float lanes[kLanes] = {};
  for (int64_t d = 0; d < head_dim; ++d) {
    lanes[d % kLanes] = std::fma(dout[d], out[d], lanes[d % kLanes]);
  }
  const float delta = TreeSum(lanes), inv_sum = 1.0f / stats[1];
  std::fill_n(dq, head_dim, 0.0f);
  for (int64_t j = first; j <= position; ++j) {
    const float p = Exp(scores[j] - stats[0]) * inv_sum;
    float dp = 0;
    for (int64_t d = 0; d < head_dim; ++d) {
      dp = std::fma(dout[d], cache_v[cache.ValueIndex(j, d)], dp);
    }
    const float tanh = cap > 0 ? scores[j] / cap : 0;
    const float ds = p * (dp - delta) * std::fma(-tanh, tanh, 1.0f) * scale;
    for (int64_t d = 0; d < head_dim; ++d) {
      const int64_t index = cache.ValueIndex(j, d);  // the gradients of both lie as the values
      dq[d] = std::fma(ds, cache_k[cache.KeyIndex(j, d)], dq[d]);
      grad_k[index] = std::fma(ds, q[d], grad_k[index]);
      grad_v[index] = std::fma(p, dout[d], grad_v[index]);
    }
  }
}

}  // namespace

void Attention(const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
               const float* q, int64_t ld_q, const float* cache_k, const float* cache_v, float* out,
               int64_t ld_out, float* stats) {
  const int64_t group = shape.heads / shape.kv_heads;
  for (int64_t s = 0; s < num_spans; ++s) {
    for (int64_t i = 0; i < spans[s].rows; ++i) {
      const int64_t row = spans[s].first_row + i;
      for (int64_t head = 0; head < shape.heads; ++head) {
        const int64_t at = head * shape.head_dim;
        ForwardQuery({shape, spans[s], head / group}, spans[s].position + i, q + row * ld_q + at,
                     cache_k, cache_v, out + row * ld_out + at,
                     stats == nullptr ? nullptr : stats + (row * shape.heads + head) * 2);
      }
    }
  }
}

void AttentionBackward(const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
                       const float* q, int64_t ld_q, const float* cache_k, const float* cache_v,
                       const float* out, int64_t ld_out, const float* stats, const float* dout,
                       int64_t ld_dout, float* dq, int64_t ld_dq, float* grad_k, float* grad_v) {
  const int64_t group = shape.heads / shape.kv_heads;
  for (int64_t s = 0; s < num_spans; ++s) {
    for (int64_t i = 0; i < spans[s].rows; ++i) {
      const int64_t row = spans[s].first_row + i;
      for (int64_t head = 0; head < shape.heads; ++head) {
        const int64_t at = head * shape.head_dim;
        BackwardQuery({shape, spans[s], head / group}, spans[s].position + i, q + row * ld_q + at,
                      cache_k, cache_v, out + row * ld_out + at,
                      stats + (row * shape.heads + head) * 2, dout + row * ld_dout + at,
                      dq + row * ld_dq + at, grad_k, grad_v);
      }
    }
  }
}

}  // namespace hone::kernels::reference
