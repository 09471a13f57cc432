// exp(x) = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; e^r = 1 + r + r² q(r), q a minimax
// polynomial of degree 4 (relative error 4.5e-9, found by Lawson's iteration); all by fma. Shared
// by Exp of one float and Exp of 16 lanes, which must agree to the bit.
#pragma once

namespace hone::kernels::exp_constants {

inline constexpr float kMax = 89.0f, kMin = -104.0f;  // beyond: inf and 0 already
inline constexpr float kInvLn2 = 0x1.715476p+0f;
inline constexpr float kMagic =
    12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
// ln 2 in two parts, the first with 12 trailing zero bits, so that n * kLn2High is exact.
inline constexpr float kLn2High = 0x1.62ep-1f, kLn2Low = 0x1.0bfbe8p-15f;
inline constexpr float kQ0 = 0x1.fffffcp-2f, kQ1 = 0x1.55549p-3f, kQ2 = 0x1.5558f4p-5f,
                       kQ3 = 0x1.123a56p-7f, kQ4 = 0x1.6a2374p-10f;

}  // namespace hone::kernels::exp_constants
