// Sixteen floats side by side, the same operations on every instruction set: the type that each CPU
// kernel is written in, once. A kernel's source is compiled three times, with HONE_ISA_NAMESPACE
// set to scalar, avx2 or avx512 and the flags of that set.
//
// Everything in an ISA's object must have internal linkage or lie in the ISA's namespace: an inline
// function of the standard library, compiled here with AVX-512, could be the copy that the linker
// keeps for the whole program. So no std:: function is called in these sources (a test looks at the
// symbols).
//
// Numerics: every operation is one IEEE operation a lane, rounded to nearest; Max(a, b) is
// a > b ? a : b and Min(a, b) is a < b ? a : b, so a NaN in b passes.
#pragma once

#include <cstdint>

#define HONE_SIMD inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include "kernels/simd_avx512.h"
#elif defined(__AVX2__)
#include "kernels/simd_avx2.h"
#else
#include "kernels/simd_scalar.h"
#endif
