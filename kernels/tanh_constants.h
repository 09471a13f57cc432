// tanh(x): with a = x clamped to |a| <= 5/8 and b = x - a,
//   tanh a = a + a z p(z), z = a², p of degree 5 (a Chebyshev fit, relative error 6e-10),
//   tanh b = (1 - e) / (1 + e), e = exp(-2 b),
//   tanh x = (tanh a + tanh b) / (1 + tanh a tanh b):
// no branch, and no cancellation near 0. Shared by Tanh of one float and Tanh of 16 lanes, which
// must agree to the bit.
#pragma once

namespace hone::kernels::tanh_constants {

inline constexpr float kSmall = 0.625f;
inline constexpr float kMost = 10;  // of |b|: tanh is 1 in float from 9.02 on
inline constexpr float kP0 = -0x1.555556p-2f, kP1 = 0x1.1110eap-3f, kP2 = -0x1.ba0914p-5f,
                       kP3 = 0x1.64add6p-6f, kP4 = -0x1.11838cp-7f, kP5 = 0x1.2ceba6p-9f;

}  // namespace hone::kernels::tanh_constants
