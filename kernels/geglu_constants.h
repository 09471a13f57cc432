// Of gelu's tanh form: tanh(kSlope x (1 + kCubic x²)).
#pragma once

namespace hone::kernels::geglu_constants {

inline constexpr float kSlope = 0.7978845608028654f;  // sqrt(2 / pi)
inline constexpr float kCubic = 0.044715f;

}  // namespace hone::kernels::geglu_constants
