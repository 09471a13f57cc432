// Plain loops over 16 lanes, for any machine. Included by simd.h alone.
#pragma once

namespace hone::kernels {
namespace {

struct F32x16 {
  float v[16];
};
struct I32x16 {
  uint32_t v[16];
};
struct Mask16 {
  int64_t n;  // lanes [0, n)
};

// a * b + c rounded once. Without the instruction: the product is exact in double, the sum is
// rounded to odd there (so that the second rounding, to float, sees whether anything was lost).
// Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4),
// 2008.
HONE_SIMD float FusedMultiplyAdd(float a, float b, float c) {
#ifdef __FP_FAST_FMAF
  return __builtin_fmaf(a, b, c);
#else
  const double product = static_cast<double>(a) * b, addend = c;
  const double sum = product + addend, back = sum - product;
  const double error = (product - (sum - back)) + (addend - back);  // exact: Knuth's TwoSum
  uint64_t bits = __builtin_bit_cast(uint64_t, sum);
  const uint64_t opposite = (bits ^ __builtin_bit_cast(uint64_t, error)) >> 63;
  const uint64_t inexact = static_cast<uint64_t>((error < 0) | (error > 0)) & ~bits & 1;
  bits += inexact - 2 * (inexact & opposite);
  return static_cast<float>(__builtin_bit_cast(double, bits));
#endif
}

// Lanes [0, n), n in 0 … 16.
HONE_SIMD Mask16 FirstLanes(int64_t n) { return {n}; }

HONE_SIMD F32x16 Set(float x) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = x;
  return r;
}
HONE_SIMD F32x16 Zero() { return Set(0); }
HONE_SIMD F32x16 Load(const float* p) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = p[i];
  return r;
}
HONE_SIMD void Store(float* p, F32x16 x) {
  for (int i = 0; i < 16; ++i) p[i] = x.v[i];
}
HONE_SIMD F32x16 LoadN(const float* p, int64_t n) {
  F32x16 r = Zero();
  for (int64_t i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
HONE_SIMD void StoreN(float* p, F32x16 x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = x.v[i];
}
HONE_SIMD F32x16 Select(Mask16 mask, F32x16 yes, F32x16 no) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = i < mask.n ? yes.v[i] : no.v[i];
  return r;
}

HONE_SIMD F32x16 Add(F32x16 a, F32x16 b) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] + b.v[i];
  return r;
}
HONE_SIMD F32x16 Sub(F32x16 a, F32x16 b) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] - b.v[i];
  return r;
}
HONE_SIMD F32x16 Mul(F32x16 a, F32x16 b) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] * b.v[i];
  return r;
}
HONE_SIMD F32x16 Div(F32x16 a, F32x16 b) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] / b.v[i];
  return r;
}
HONE_SIMD F32x16 Max(F32x16 a, F32x16 b) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return r;
}
HONE_SIMD F32x16 Min(F32x16 a, F32x16 b) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return r;
}
HONE_SIMD F32x16 Sqrt(F32x16 a) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = __builtin_sqrtf(a.v[i]);
  return r;
}
HONE_SIMD F32x16 Neg(F32x16 a) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = -a.v[i];
  return r;
}
HONE_SIMD F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = FusedMultiplyAdd(a.v[i], b.v[i], c.v[i]);
  return r;
}

HONE_SIMD I32x16 BitsOf(F32x16 a) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = __builtin_bit_cast(uint32_t, a.v[i]);
  return r;
}
HONE_SIMD F32x16 FromBits(I32x16 a) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = __builtin_bit_cast(float, a.v[i]);
  return r;
}
HONE_SIMD I32x16 SetI(int32_t x) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = static_cast<uint32_t>(x);
  return r;
}
HONE_SIMD I32x16 LoadI(const uint32_t* p) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = p[i];
  return r;
}
HONE_SIMD void StoreI(uint32_t* p, I32x16 x) {
  for (int i = 0; i < 16; ++i) p[i] = x.v[i];
}
HONE_SIMD I32x16 AndI(I32x16 a, I32x16 b) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] & b.v[i];
  return r;
}
HONE_SIMD I32x16 OrI(I32x16 a, I32x16 b) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] | b.v[i];
  return r;
}
HONE_SIMD I32x16 AddI(I32x16 a, I32x16 b) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] + b.v[i];
  return r;
}
HONE_SIMD I32x16 SubI(I32x16 a, I32x16 b) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] - b.v[i];
  return r;
}
template <int kBits>
HONE_SIMD I32x16 ShiftLeft(I32x16 a) {
  I32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = a.v[i] << kBits;
  return r;
}
template <int kBits>
HONE_SIMD I32x16 ShiftRight(I32x16 a) {  // with sign
  I32x16 r;
  for (int i = 0; i < 16; ++i) {
    r.v[i] = static_cast<uint32_t>(static_cast<int32_t>(a.v[i]) >> kBits);
  }
  return r;
}

// The fixed tree of lanes.h.
HONE_SIMD float SumLanes(F32x16 a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a.v[i] = a.v[i] + a.v[i + width];
  }
  return a.v[0];
}

}  // namespace
}  // namespace hone::kernels
