// Functions over 16 lanes, written in the operations of simd.h: the same bits on every ISA.
#pragma once

#include "kernels/exp_constants.h"
#include "kernels/simd.h"
#include "kernels/tanh_constants.h"

namespace hone::kernels {
namespace {

// Lane by lane the bits of Exp(float) in softmax.h.
HONE_SIMD F32x16 Exp(F32x16 x) {
  using namespace exp_constants;
  x = Max(Set(kMin), Min(Set(kMax), x));
  const F32x16 t = Fma(x, Set(kInvLn2), Set(kMagic));
  const F32x16 n = Sub(t, Set(kMagic));
  const F32x16 r = Fma(n, Set(-kLn2Low), Fma(n, Set(-kLn2High), x));
  F32x16 q = Fma(Set(kQ4), r, Set(kQ3));
  q = Fma(q, r, Set(kQ2));
  q = Fma(q, r, Set(kQ1));
  q = Fma(q, r, Set(kQ0));
  const F32x16 p = Add(Fma(Mul(r, r), q, r), Set(1));
  // 2^n as two factors: n reaches -150 and 128, beyond one float's exponent.
  const I32x16 whole = SubI(BitsOf(t), BitsOf(Set(kMagic)));
  const I32x16 half = ShiftRight<1>(whole), bias = SetI(127);
  const F32x16 scale1 = FromBits(ShiftLeft<23>(AddI(half, bias)));
  const F32x16 scale2 = FromBits(ShiftLeft<23>(AddI(SubI(whole, half), bias)));
  return Mul(Mul(p, scale1), scale2);
}

// Lane by lane the bits of Tanh(float) in softmax.h.
HONE_SIMD F32x16 Tanh(F32x16 x) {
  using namespace tanh_constants;
  const F32x16 a = Max(Set(-kSmall), Min(Set(kSmall), x)), z = Mul(a, a);
  F32x16 p = Fma(Set(kP5), z, Set(kP4));
  p = Fma(p, z, Set(kP3));
  p = Fma(p, z, Set(kP2));
  p = Fma(p, z, Set(kP1));
  p = Fma(p, z, Set(kP0));
  const F32x16 tanh_a = Fma(Mul(a, z), p, a);
  const F32x16 b = Max(Set(-kMost), Min(Set(kMost), Sub(x, a)));
  const F32x16 e = Exp(Mul(Set(-2), b));
  const F32x16 tanh_b = Div(Sub(Set(1), e), Add(Set(1), e));
  return Div(Add(tanh_a, tanh_b), Fma(tanh_a, tanh_b, Set(1)));
}

// As LoadN, with `fill` in the lanes beyond.
HONE_SIMD F32x16 LoadN(const float* p, int64_t n, float fill) {
  return Select(FirstLanes(n), LoadN(p, n), Set(fill));
}

HONE_SIMD float MaxLanes(F32x16 a) {  // exact in any order
  float lanes[16];
  Store(lanes, a);
  float max = lanes[0];
  for (int i = 1; i < 16; ++i) max = lanes[i] > max ? lanes[i] : max;
  return max;
}

HONE_SIMD int64_t Smaller(int64_t a, int64_t b) { return a < b ? a : b; }
HONE_SIMD int64_t Larger(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace
}  // namespace hone::kernels
