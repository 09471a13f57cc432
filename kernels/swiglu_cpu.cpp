// The inner part of swiglu.cpp for one ISA.
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

void Forward(const float* gate, const float* up, int64_t f, float* out) {
  for (int64_t i = 0; i < f; i += 16) {
    const int64_t n = Smaller(16, f - i);
    const F32x16 g = LoadN(gate + i, n);
    const F32x16 silu = Div(g, Add(Set(1), Exp(Neg(g))));
    StoreN(out + i, Mul(silu, LoadN(up + i, n)), n);
  }
}

void Backward(const float* d_out, const float* gate, const float* up, int64_t f, float* d_gate,
              float* d_up, float* out) {
  for (int64_t i = 0; i < f; i += 16) {
    const int64_t n = Smaller(16, f - i);
    const F32x16 g = LoadN(gate + i, n), u = LoadN(up + i, n), dy = LoadN(d_out + i, n);
    const F32x16 denominator = Add(Set(1), Exp(Neg(g)));
    const F32x16 silu = Div(g, denominator), sigmoid = Div(Set(1), denominator);
    const F32x16 slope = Mul(sigmoid, Fma(g, Sub(Set(1), sigmoid), Set(1)));
    StoreN(d_gate + i, Mul(Mul(dy, u), slope), n);
    StoreN(d_up + i, Mul(dy, silu), n);
    StoreN(out + i, Mul(silu, u), n);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const GatedKernels kSwiGlu = {Forward, Backward};
}

}  // namespace hone::kernels
