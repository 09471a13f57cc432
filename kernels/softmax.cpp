#include "kernels/softmax.h"

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/exp_constants.h"
#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"
#include "kernels/tanh_constants.h"

namespace hone::kernels {

float Exp(float x) {
  using namespace exp_constants;
  x = kMax < x ? kMax : x;
  x = kMin > x ? kMin : x;
  if (std::isnan(x)) return x;
  const float t = std::fma(x, kInvLn2, kMagic), n = t - kMagic;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, x));
  float q = std::fma(kQ4, r, kQ3);
  q = std::fma(q, r, kQ2);
  q = std::fma(q, r, kQ1);
  q = std::fma(q, r, kQ0);
  const float p = std::fma(r * r, q, r) + 1;
  // 2^n as two factors: n reaches -150 and 128, beyond one float's exponent.
  const int whole = static_cast<int>(n), half = whole >> 1;
  const auto scale = [](int exponent) {
    return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
  };
  return p * scale(half) * scale(whole - half);
}

float Log(float x) {
  if (std::isnan(x) || x == std::numeric_limits<float>::infinity()) return x;
  if (x < 0) return std::numeric_limits<float>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<float>::infinity();
  // In double, where every positive float is normal: x = 2^e m, m in [sqrt(1/2), sqrt(2)),
  // ln m = 2 atanh(z), z = (m - 1) / (m + 1), |z| <= 0.1716; the term after z^17 is below 1e-15.
  const uint64_t bits = std::bit_cast<uint64_t>(static_cast<double>(x));
  const auto high = static_cast<int64_t>(bits - 0x3fe6a09e667f3bcd);  // sqrt(1/2)
  const int64_t exponent = high >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<uint64_t>(exponent) << 52));
  const double z = (m - 1) / (m + 1), z2 = z * z;
  double sum = 0;
  for (int i = 17; i >= 1; i -= 2) sum = sum * z2 + 1.0 / i;
  return static_cast<float>(static_cast<double>(exponent) * 0.693147180559945309417 + 2 * z * sum);
}

float Tanh(float x) {
  using namespace tanh_constants;
  const auto clamp = [](float value, float most) {  // a NaN passes, as in Max and Min of simd.h
    value = most < value ? most : value;
    return -most > value ? -most : value;
  };
  const float a = clamp(x, kSmall), z = a * a;
  float p = std::fma(kP5, z, kP4);
  p = std::fma(p, z, kP3);
  p = std::fma(p, z, kP2);
  p = std::fma(p, z, kP1);
  p = std::fma(p, z, kP0);
  const float tanh_a = std::fma(a * z, p, a);
  const float e = Exp(-2 * clamp(x - a, kMost));
  const float tanh_b = (1 - e) / (1 + e);
  return (tanh_a + tanh_b) / std::fma(tanh_a, tanh_b, 1.0f);
}

namespace {

LogitRow RowOf(const LogitStats& stats) {
  const float log_sum = Log(stats.sum);
  // -sum p log p with log p = (z - max) - log_sum: no large numbers cancel.
  return {stats.max, stats.max + log_sum, log_sum - stats.weighted_sum / stats.sum};
}

}  // namespace

void LogSumExpRows(const Exec& exec, const float* logits, int64_t ld, int64_t rows, int64_t v,
                   float temperature, float* log_sum_exp_R, float* entropy_R) {
  const SoftmaxKernels& kernels = HONE_ISA_KERNELS(exec.isa, kSoftmax);
  ParallelFor(exec, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const LogitRow of =
          RowOf(kernels.stats(logits + row * ld, v, temperature, entropy_R != nullptr, nullptr));
      log_sum_exp_R[row] = of.log_sum_exp;
      if (entropy_R != nullptr) entropy_R[row] = of.entropy;
    }
  });
}

LogitRow LogSumExpRow(Isa isa, const float* logits_V, int64_t v, float temperature,
                      float* block_sums) {
  return RowOf(HONE_ISA_KERNELS(isa, kSoftmax).stats(logits_V, v, temperature, true, block_sums));
}

void LogProbGradRows(const Exec& exec, float* logits, int64_t ld, int64_t rows, int64_t v,
                     float temperature, const int32_t* targets_R, const float* log_sum_exp_R,
                     const float* entropy_R, const float* dlogprob_R, const float* dentropy_R) {
  const SoftmaxKernels& kernels = HONE_ISA_KERNELS(exec.isa, kSoftmax);
  ParallelFor(exec, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const bool entropy = dentropy_R != nullptr;
      kernels.grad(logits + row * ld, v,
                   {.temperature = temperature,
                    .log_sum_exp = log_sum_exp_R[row],
                    .entropy = entropy ? entropy_R[row] : 0,
                    .dlogprob = dlogprob_R[row],
                    .dentropy = entropy ? dentropy_R[row] : 0,
                    .target = targets_R[row]});
    }
  });
}

void ExpRow(Isa isa, const float* logits_V, int64_t v, float temperature, float shift,
            float* weights_V) {
  HONE_ISA_KERNELS(isa, kSoftmax).exp_row(logits_V, v, temperature, shift, weights_V);
}

}  // namespace hone::kernels
