// A mixture of experts: which experts a row goes to and with what weight, and moving rows to and
// from them. Shazeer et al., arXiv:1701.06538. Every row is chosen for by itself, and what its
// experts give is added in order of their numbers. In plain loops: the same on every instruction
// set.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// t rows choose k of e experts each.
struct Choice {
  int64_t t = 0, e = 0, k = 0;
  bool normalise = false;  // the weights of a row are made to sum to 1
};
// Of each row of logits, the k experts of largest softmax (of equal ones, those of lower number),
// in order of their numbers, and their softmax as weights. Sums run in order of the experts.
void Route(const Exec& exec, const Choice& choice, const float* logits_TE, int32_t* experts_TK,
           float* weights_TK);
// d_logits [t, e] is written.
void RouteBackward(const Exec& exec, const Choice& choice, const float* logits_TE,
                   const int32_t* experts_TK, const float* d_weights_TK, float* d_logits_TE);

// y[i] = x[rows[i] / shared], n rows of d: with `shared` k, rows are places in [t, k].
void GatherRows(const Exec& exec, const float* x, const int32_t* rows_N, int64_t n, int64_t shared,
                int64_t d, float* y_ND);
// y[rows[i]] = x[i].
void ScatterRows(const Exec& exec, const float* x_ND, const int32_t* rows_N, int64_t n, int64_t d,
                 float* y);
// y[rows[i] / shared] += weights[rows[i]] * x[i]; without weights, x[i]. No row of y comes twice.
void AddRows(const Exec& exec, const float* x_ND, const int32_t* rows_N, int64_t n, int64_t shared,
             const float* weights, int64_t d, float* y);
// x[i] *= weights[rows[i]].
void ScaleRows(const Exec& exec, const int32_t* rows_N, int64_t n, const float* weights, int64_t d,
               float* x_ND);
// dots[rows[i]] = a[i] · b[i], a sum in order.
void DotRows(const Exec& exec, const float* a_ND, const float* b_ND, const int32_t* rows_N,
             int64_t n, int64_t d, float* dots);

}  // namespace hone::kernels
