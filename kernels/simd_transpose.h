// Transposes 16 x 16 floats in registers. Included by matmul_cpu.cpp.
#pragma once

#include "kernels/simd.h"

namespace hone::kernels {
namespace {

#if defined(__AVX512F__)
// Pairs of rows, then fours, are interleaved within the four parts of 128 bits; then the parts.
HONE_SIMD void Transpose(F32x16 (&x)[16]) {
  __m512 pairs[16], fours[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(x[i].v, x[i + 1].v);
    pairs[i + 1] = _mm512_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  // fours[4 g + c]: column c of each part, of the rows 4 g … 4 g + 3.
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    fours[g] = _mm512_shuffle_ps(pairs[g], pairs[g + 2], 0x44);
    fours[g + 1] = _mm512_shuffle_ps(pairs[g], pairs[g + 2], 0xee);
    fours[g + 2] = _mm512_shuffle_ps(pairs[g + 1], pairs[g + 3], 0x44);
    fours[g + 3] = _mm512_shuffle_ps(pairs[g + 1], pairs[g + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 low02 = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0x88);
    const __m512 low13 = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0xdd);
    const __m512 high02 = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0x88);
    const __m512 high13 = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0xdd);
    x[c].v = _mm512_shuffle_f32x4(low02, high02, 0x88);
    x[4 + c].v = _mm512_shuffle_f32x4(low13, high13, 0x88);
    x[8 + c].v = _mm512_shuffle_f32x4(low02, high02, 0xdd);
    x[12 + c].v = _mm512_shuffle_f32x4(low13, high13, 0xdd);
  }
}
#elif defined(__AVX2__)
// Pairs of rows, then fours, are interleaved within the halves of 128 bits; then the halves.
HONE_SIMD void Transpose8(__m256 (&x)[8]) {
  __m256 pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
  }
#pragma GCC unroll 2
  for (int g = 0; g < 8; g += 4) {
    fours[g] = _mm256_shuffle_ps(pairs[g], pairs[g + 2], 0x44);
    fours[g + 1] = _mm256_shuffle_ps(pairs[g], pairs[g + 2], 0xee);
    fours[g + 2] = _mm256_shuffle_ps(pairs[g + 1], pairs[g + 3], 0x44);
    fours[g + 3] = _mm256_shuffle_ps(pairs[g + 1], pairs[g + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    x[c] = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x20);
    x[4 + c] = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x31);
  }
}
HONE_SIMD void Transpose(F32x16 (&x)[16]) {
  __m256 low_low[8], low_high[8], high_low[8], high_high[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    low_low[i] = x[i].lo, low_high[i] = x[i].hi;
    high_low[i] = x[8 + i].lo, high_high[i] = x[8 + i].hi;
  }
  Transpose8(low_low), Transpose8(low_high), Transpose8(high_low), Transpose8(high_high);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    x[i] = {low_low[i], high_low[i]};
    x[8 + i] = {low_high[i], high_high[i]};
  }
}
#else
HONE_SIMD void Transpose(F32x16 (&x)[16]) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < i; ++j) {
      const float upper = x[j].v[i];
      x[j].v[i] = x[i].v[j];
      x[i].v[j] = upper;
    }
  }
}
#endif

}  // namespace
}  // namespace hone::kernels
