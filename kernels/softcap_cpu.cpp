// The inner part of softcap.cpp for one ISA.
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

void Forward(float* x, int64_t n, float cap) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t count = Smaller(16, n - i);
    StoreN(x + i, Mul(Set(cap), Tanh(Div(LoadN(x + i, count), Set(cap)))), count);
  }
}

void Backward(const float* y, int64_t n, float cap, float* dy) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t count = Smaller(16, n - i);
    const F32x16 t = Div(LoadN(y + i, count), Set(cap));
    StoreN(dy + i, Mul(LoadN(dy + i, count), Fma(Neg(t), t, Set(1))), count);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const SoftCapKernels kSoftCap = {Forward, Backward};
}

}  // namespace hone::kernels
