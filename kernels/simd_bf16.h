// Numbers of bf16 in pairs: a bf16 is the upper half of the float it stands for, so a shift or a
// mask widens sixteen of them. Included by matmul_layouts.h and matmul_tile.h.
#pragma once

#include "kernels/simd.h"

namespace hone::kernels {
namespace {

// Of 16 words, each two numbers: those in the lower halves, and those in the upper.
HONE_SIMD F32x16 LowerHalves(const uint32_t* words) {
  return FromBits(ShiftLeft<16>(LoadI(words)));
}
HONE_SIMD F32x16 UpperHalves(const uint32_t* words) {
  return FromBits(AndI(LoadI(words), SetI(-0x10000)));
}
// The lower 16 bits of each float are dropped.
HONE_SIMD void StoreHalves(uint32_t* words, F32x16 lower, F32x16 upper) {
  const I32x16 low = AndI(ShiftRight<16>(BitsOf(lower)), SetI(0xffff));
  StoreI(words, OrI(low, AndI(BitsOf(upper), SetI(-0x10000))));
}

}  // namespace
}  // namespace hone::kernels
