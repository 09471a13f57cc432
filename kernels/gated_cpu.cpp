// The inner part of gated.cpp for one ISA.
#include "kernels/geglu_constants.h"
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"

namespace hone::kernels {
namespace {

using namespace geglu_constants;

// What an activation gives, and its derivative.
struct Activation {
  F32x16 value, slope;
};

struct Silu {
  static HONE_SIMD F32x16 Sigmoid(F32x16 x) { return Div(Set(1), Add(Set(1), Exp(Neg(x)))); }
  static HONE_SIMD F32x16 Value(F32x16 x) { return Mul(x, Sigmoid(x)); }
  static HONE_SIMD Activation ValueAndSlope(F32x16 x) {
    const F32x16 sigmoid = Sigmoid(x);
    return {Mul(x, sigmoid), Mul(sigmoid, Fma(x, Sub(Set(1), sigmoid), Set(1)))};
  }
};

struct GeluTanh {
  // tanh of what gelu takes it of.
  static HONE_SIMD F32x16 Inner(F32x16 x, F32x16 square) {
    return Tanh(Mul(Mul(x, Set(kSlope)), Fma(Set(kCubic), square, Set(1))));
  }
  static HONE_SIMD F32x16 Value(F32x16 x) {
    const F32x16 half = Mul(Set(0.5f), x);
    return Fma(half, Inner(x, Mul(x, x)), half);
  }
  static HONE_SIMD Activation ValueAndSlope(F32x16 x) {
    const F32x16 half = Mul(Set(0.5f), x), square = Mul(x, x), t = Inner(x, square);
    const F32x16 inner_slope = Mul(Set(kSlope), Fma(Set(3 * kCubic), square, Set(1)));
    const F32x16 tanh_slope = Fma(Neg(t), t, Set(1));
    return {Fma(half, t, half),
            Fma(Mul(half, tanh_slope), inner_slope, Fma(Set(0.5f), t, Set(0.5f)))};
  }
};

template <class Act>
void Forward(const float* gate, const float* up, int64_t f, float* out) {
  for (int64_t i = 0; i < f; i += 16) {
    const int64_t n = Smaller(16, f - i);
    StoreN(out + i, Mul(Act::Value(LoadN(gate + i, n)), LoadN(up + i, n)), n);
  }
}

template <class Act>
void Backward(const float* d_out, const float* gate, const float* up, int64_t f, float* d_gate,
              float* d_up, const RowsAt& out) {
  for (int64_t i = 0; i < f; i += 16) {
    const int64_t n = Smaller(16, f - i);
    const F32x16 u = LoadN(up + i, n), dy = LoadN(d_out + i, n);
    const Activation act = Act::ValueAndSlope(LoadN(gate + i, n));
    StoreN(d_gate + i, Mul(Mul(dy, u), act.slope), n);
    StoreN(d_up + i, Mul(dy, act.value), n);
    StoreN(out.data + i / 32 * out.panel_stride + i % 32, Mul(act.value, u), n);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const GatedKernels kSwiGlu = {Forward<Silu>, Backward<Silu>};
const GatedKernels kGeGlu = {Forward<GeluTanh>, Backward<GeluTanh>};
}  // namespace HONE_ISA_NAMESPACE

}  // namespace hone::kernels
