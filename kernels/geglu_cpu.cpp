// The inner part of geglu.cpp for one ISA.
#include "kernels/geglu_constants.h"
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

using namespace geglu_constants;

// tanh of what gelu takes it of.
HONE_SIMD F32x16 Inner(F32x16 x, F32x16 square) {
  return Tanh(Mul(Mul(x, Set(kSlope)), Fma(Set(kCubic), square, Set(1))));
}

void Forward(const float* gate, const float* up, int64_t f, float* out) {
  for (int64_t i = 0; i < f; i += 16) {
    const int64_t n = Smaller(16, f - i);
    const F32x16 g = LoadN(gate + i, n), half = Mul(Set(0.5f), g);
    const F32x16 gelu = Fma(half, Inner(g, Mul(g, g)), half);
    StoreN(out + i, Mul(gelu, LoadN(up + i, n)), n);
  }
}

void Backward(const float* d_out, const float* gate, const float* up, int64_t f, float* d_gate,
              float* d_up, float* out) {
  for (int64_t i = 0; i < f; i += 16) {
    const int64_t n = Smaller(16, f - i);
    const F32x16 g = LoadN(gate + i, n), u = LoadN(up + i, n), dy = LoadN(d_out + i, n);
    const F32x16 half = Mul(Set(0.5f), g), square = Mul(g, g), t = Inner(g, square);
    const F32x16 gelu = Fma(half, t, half);
    const F32x16 inner_slope = Mul(Set(kSlope), Fma(Set(3 * kCubic), square, Set(1)));
    const F32x16 tanh_slope = Fma(Neg(t), t, Set(1));
    const F32x16 slope = Fma(Mul(half, tanh_slope), inner_slope, Fma(Set(0.5f), t, Set(0.5f)));
    StoreN(d_gate + i, Mul(Mul(dy, u), slope), n);
    StoreN(d_up + i, Mul(dy, gelu), n);
    StoreN(out + i, Mul(gelu, u), n);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const GatedKernels kGeGlu = {Forward, Backward};
}

}  // namespace hone::kernels
