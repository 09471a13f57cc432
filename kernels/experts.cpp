#include "kernels/experts.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/softmax.h"

namespace hone::kernels {
namespace {

// The softmax of one row of logits.
void Softmax(const float* logits, int64_t e, float* p) {
  const float max = *std::max_element(logits, logits + e);
  float sum = 0;
  for (int64_t i = 0; i < e; ++i) sum += p[i] = Exp(logits[i] - max);
  for (int64_t i = 0; i < e; ++i) p[i] /= sum;
}

float SumOfChosen(const float* p, const int32_t* experts, int64_t k) {
  float sum = 0;
  for (int64_t i = 0; i < k; ++i) sum += p[experts[i]];
  return sum;
}

}  // namespace

void Route(const Exec& exec, const Choice& choice, const float* logits_TE, int32_t* experts_TK,
           float* weights_TK) {
  const int64_t e = choice.e, k = choice.k;
  ParallelFor(exec, choice.t, 16, [&](int64_t begin, int64_t end) {
    float* p = Scratch(e);
    for (int64_t row = begin; row < end; ++row) {
      Softmax(logits_TE + row * e, e, p);
      int32_t* experts = experts_TK + row * k;
      for (int64_t chosen = 0; chosen < k; ++chosen) {
        int32_t best = -1;
        for (int32_t i = 0; i < e; ++i) {
          const bool taken = std::find(experts, experts + chosen, i) != experts + chosen;
          if (!taken && (best < 0 || p[i] > p[best])) best = i;
        }
        experts[chosen] = best;
      }
      std::sort(experts, experts + k);
      const float sum = choice.normalise ? SumOfChosen(p, experts, k) : 1;
      for (int64_t i = 0; i < k; ++i) weights_TK[row * k + i] = p[experts[i]] / sum;
    }
  });
}

void RouteBackward(const Exec& exec, const Choice& choice, const float* logits_TE,
                   const int32_t* experts_TK, const float* d_weights_TK, float* d_logits_TE) {
  const int64_t e = choice.e, k = choice.k;
  ParallelFor(exec, choice.t, 16, [&](int64_t begin, int64_t end) {
    float *p = Scratch(e + k), *d_p = p + e;  // d_p: of the chosen
    for (int64_t row = begin; row < end; ++row) {
      const int32_t* experts = experts_TK + row * k;
      const float* d_weights = d_weights_TK + row * k;
      Softmax(logits_TE + row * e, e, p);
      const float sum = choice.normalise ? SumOfChosen(p, experts, k) : 1;
      float weighted = 0;  // sum of d_weight * weight, which the division by the sum gives back
      for (int64_t i = 0; i < k && choice.normalise; ++i)
        weighted += d_weights[i] * (p[experts[i]] / sum);
      float mean = 0;
      for (int64_t i = 0; i < k; ++i) {
        d_p[i] = (d_weights[i] - weighted) / sum;
        mean += d_p[i] * p[experts[i]];
      }
      float* d_logits = d_logits_TE + row * e;
      for (int64_t i = 0; i < e; ++i) d_logits[i] = -(p[i] * mean);
      for (int64_t i = 0; i < k; ++i) d_logits[experts[i]] = p[experts[i]] * (d_p[i] - mean);
    }
  });
}

void GatherRows(const Exec& exec, const float* x, const int32_t* rows_N, int64_t n, int64_t shared,
                int64_t d, float* y_ND) {
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(x + rows_N[i] / shared * d, d, y_ND + i * d);
  });
}

void ScatterRows(const Exec& exec, const float* x_ND, const int32_t* rows_N, int64_t n, int64_t d,
                 float* y) {
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(x_ND + i * d, d, y + rows_N[i] * d);
  });
}

void AddRows(const Exec& exec, const float* x_ND, const int32_t* rows_N, int64_t n, int64_t shared,
             const float* weights, int64_t d, float* y) {
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float weight = weights == nullptr ? 1 : weights[rows_N[i]];
      const float* from = x_ND + i * d;
      float* to = y + rows_N[i] / shared * d;
      for (int64_t j = 0; j < d; ++j) to[j] += weight * from[j];
    }
  });
}

void ScaleRows(const Exec& exec, const int32_t* rows_N, int64_t n, const float* weights, int64_t d,
               float* x_ND) {
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < d; ++j) x_ND[i * d + j] *= weights[rows_N[i]];
    }
  });
}

void DotRows(const Exec& exec, const float* a_ND, const float* b_ND, const int32_t* rows_N,
             int64_t n, int64_t d, float* dots) {
  ParallelFor(exec, n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float sum = 0;
      for (int64_t j = 0; j < d; ++j) sum += a_ND[i * d + j] * b_ND[i * d + j];
      dots[rows_N[i]] = sum;
    }
  });
}

}  // namespace hone::kernels
