// AVX-512: one register. Included by simd.h alone.
#pragma once

#include <immintrin.h>

namespace hone::kernels {
namespace {

struct F32x16 {
  __m512 v;
};
struct I32x16 {
  __m512i v;
};
struct Mask16 {
  __mmask16 m;
};

// Lanes [0, n), n in 0 … 16.
HONE_SIMD Mask16 FirstLanes(int64_t n) { return {static_cast<__mmask16>((1u << n) - 1)}; }

HONE_SIMD F32x16 Zero() { return {_mm512_setzero_ps()}; }
HONE_SIMD F32x16 Set(float x) { return {_mm512_set1_ps(x)}; }
HONE_SIMD F32x16 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
HONE_SIMD void Store(float* p, F32x16 x) { _mm512_storeu_ps(p, x.v); }
HONE_SIMD F32x16 LoadN(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(FirstLanes(n).m, p)};
}
HONE_SIMD void StoreN(float* p, F32x16 x, int64_t n) {
  _mm512_mask_storeu_ps(p, FirstLanes(n).m, x.v);
}
HONE_SIMD F32x16 Select(Mask16 mask, F32x16 yes, F32x16 no) {
  return {_mm512_mask_blend_ps(mask.m, no.v, yes.v)};
}

HONE_SIMD F32x16 Add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
HONE_SIMD F32x16 Sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
HONE_SIMD F32x16 Mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
HONE_SIMD F32x16 Div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
HONE_SIMD F32x16 Sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
HONE_SIMD F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
HONE_SIMD F32x16 Max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
HONE_SIMD F32x16 Min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
HONE_SIMD F32x16 Neg(F32x16 a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }

HONE_SIMD I32x16 BitsOf(F32x16 a) { return {_mm512_castps_si512(a.v)}; }
HONE_SIMD F32x16 FromBits(I32x16 a) { return {_mm512_castsi512_ps(a.v)}; }
HONE_SIMD I32x16 SetI(int32_t x) { return {_mm512_set1_epi32(x)}; }
HONE_SIMD I32x16 LoadI(const uint32_t* p) { return {_mm512_loadu_si512(p)}; }
HONE_SIMD void StoreI(uint32_t* p, I32x16 x) { _mm512_storeu_si512(p, x.v); }
HONE_SIMD I32x16 AndI(I32x16 a, I32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
HONE_SIMD I32x16 OrI(I32x16 a, I32x16 b) { return {_mm512_or_si512(a.v, b.v)}; }
HONE_SIMD I32x16 AddI(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
HONE_SIMD I32x16 SubI(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
template <int kBits>
HONE_SIMD I32x16 ShiftLeft(I32x16 a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
HONE_SIMD I32x16 ShiftRight(I32x16 a) {  // with sign
  return {_mm512_srai_epi32(a.v, kBits)};
}

// The fixed tree of lanes.h.
HONE_SIMD float SumLanes(F32x16 a) {
  const __m256 high = _mm512_extractf32x8_ps(a.v, 1);
  const __m256 x8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), high);
  const __m128 x4 = _mm_add_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  const __m128 x2 = _mm_add_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_add_ss(x2, _mm_shuffle_ps(x2, x2, 1)));
}

}  // namespace
}  // namespace hone::kernels
