// The inner part of rope.cpp for one ISA.
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

void Rotate(float* x, const float* cos, const float* sin, int64_t half, bool inverse) {
  for (int64_t i = 0; i < half; i += 16) {
    const int64_t n = Smaller(16, half - i);
    const F32x16 x1 = LoadN(x + i, n), x2 = LoadN(x + half + i, n);
    const F32x16 c = LoadN(cos + i, n), s = inverse ? Neg(LoadN(sin + i, n)) : LoadN(sin + i, n);
    StoreN(x + i, Fma(x1, c, Neg(Mul(x2, s))), n);
    StoreN(x + half + i, Fma(x2, c, Mul(x1, s)), n);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const RopeKernels kRope = {Rotate};
}

}  // namespace hone::kernels
