// The inner part of softmax.cpp for one ISA.
#include "kernels/isa_kernels.h"
#include "kernels/simd_math.h"
#include "kernels/softmax.h"

namespace hone::kernels {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr float kLogFloor =
    -1000;  // stands for a log-probability of -inf where it is multiplied by 0

// z = logits / temperature; a division by 1 changes nothing and is left out.
HONE_SIMD F32x16 Scaled(F32x16 logits, float temperature) {
  return temperature == 1.0f ? logits : Div(logits, Set(temperature));
}

LogitStats Stats(const float* logits_V, int64_t v, float temperature, bool entropy,
                 float* block_sums) {
  F32x16 maxima = Set(-kInfinity);
  for (int64_t i = 0; i < v; i += 16) {
    maxima = Max(maxima, LoadN(logits_V + i, Smaller(16, v - i), -kInfinity));
  }
  float lanes[16];
  Store(lanes, Scaled(Set(MaxLanes(maxima)), temperature));  // division keeps the order
  const float max = lanes[0];
  F32x16 sum = Zero(), weighted = Zero();
  for (int64_t block = 0; block < v; block += kLogitBlock) {
    F32x16 block_sum = Zero();
    for (int64_t i = block; i < Smaller(block + kLogitBlock, v); i += 16) {
      const F32x16 x = LoadN(logits_V + i, Smaller(16, v - i), -kInfinity);
      const F32x16 difference = Sub(Scaled(x, temperature), Set(max));
      const F32x16 e = Exp(difference);  // 0 beyond v
      sum = Add(sum, e);
      block_sum = Add(block_sum, e);
      if (entropy) weighted = Fma(e, Max(Set(kLogFloor), difference), weighted);
    }
    if (block_sums != nullptr) block_sums[block / kLogitBlock] = SumLanes(block_sum);
  }
  return {max, SumLanes(sum), entropy ? SumLanes(weighted) : 0};
}

void Grad(float* logits_V, int64_t v, const LogitGrad& grad) {
  for (int64_t i = 0; i < v; i += 16) {
    const int64_t n = Smaller(16, v - i);
    const F32x16 z = Scaled(LoadN(logits_V + i, n), grad.temperature);
    const F32x16 log_p = Sub(z, Set(grad.log_sum_exp)), p = Exp(log_p);
    // d log p[target] / dz = [target] - p;  d entropy / dz = -p (log p + entropy)
    F32x16 slope = Set(-grad.dlogprob);
    if (grad.dentropy != 0) {
      const F32x16 surprise = Add(Max(Set(kLogFloor), log_p), Set(grad.entropy));
      slope = Fma(Set(-grad.dentropy), surprise, slope);
    }
    float lanes[16];
    Store(lanes, Mul(p, slope));
    if (grad.target >= i && grad.target < i + 16) lanes[grad.target - i] += grad.dlogprob;
    StoreN(logits_V + i, Scaled(Load(lanes), grad.temperature), n);
  }
}

void ExpRow(const float* logits_V, int64_t v, float temperature, float shift, float* weights_V) {
  for (int64_t i = 0; i < v; i += 16) {
    const int64_t n = Smaller(16, v - i);
    const F32x16 z = Scaled(LoadN(logits_V + i, n), temperature);
    StoreN(weights_V + i, Exp(Sub(z, Set(shift))), n);
  }
}

void ExpAll(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t count = Smaller(16, n - i);
    StoreN(y + i, Exp(LoadN(x + i, count)), count);
  }
}

}  // namespace

namespace HONE_ISA_NAMESPACE {
const SoftmaxKernels kSoftmax = {Stats, Grad, ExpRow, ExpAll};
}

}  // namespace hone::kernels
