// Rotary position embedding in Hugging Face's layout: dimension i pairs with i + rotary_dim / 2.
// Su et al., arXiv:2104.09864, eq. 34.
#pragma once

#include <cstdint>
#include <span>

#include "common/buffer.h"
#include "kernels/exec.h"

namespace hone::kernels {

// cos and sin [positions, rotary_dim / 2], from deterministic double arithmetic. Of a head only the
// first rotary_dim dimensions turn.
struct RopeTable {
  int64_t head_dim = 0, rotary_dim = 0, positions = 0;
  Buffer<float> cos_PH, sin_PH;
};
// Angles are rounded to float as in transformers, whose models were trained so; `factor` multiplies
// cos and sin. There are at most head_dim / 2 frequencies, each of a pair that turns.
RopeTable MakeRopeTable(int64_t head_dim, int64_t positions,
                        std::span<const float> inverse_frequencies, float factor = 1);

// Rotates x [t, heads, head_dim] (row stride ld) in place by the angle of positions[t]; `inverse`
// turns back (times the table's factor), which is the backward. Positions must be below
// table.positions.
void Rope(const Exec& exec, float* x, int64_t ld, int64_t t, int64_t heads,
          const int32_t* positions_T, const RopeTable& table, bool inverse);

namespace reference {
void Rope(float* x, int64_t ld, int64_t t, int64_t heads, const int32_t* positions_T,
          const RopeTable& table, bool inverse);
}  // namespace reference
}  // namespace hone::kernels
