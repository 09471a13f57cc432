// Rows of the embedding table, and their gradient.
#pragma once

#include <cstdint>

#include "kernels/exec.h"

namespace hone::kernels {

// y[t] = scale * table[token[t]].
void Embed(const Exec& exec, const float* table_VD, const int32_t* tokens_T, int64_t t, int64_t d,
           float* y_TD, float scale = 1);
// dtable[token[t]] += scale * dy[t], in order of t for each row of the table.
void EmbedBackward(const Exec& exec, const float* dy_TD, const int32_t* tokens_T, int64_t t,
                   int64_t d, float* dtable_VD, float scale = 1);
// sum = x + y, n elements; sum may be either.
void Add(const Exec& exec, const float* x, const float* y, int64_t n, float* sum);

}  // namespace hone::kernels
