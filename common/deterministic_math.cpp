#include "common/deterministic_math.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace hone {
namespace {

double Scale(double x, int exponent) {
  return x * std::bit_cast<double>(static_cast<uint64_t>(1023 + exponent) << 52);
}

constexpr double kLn2 = 0.693147180559945309417;

}  // namespace

double Exp2(double x) {
  const double whole = std::floor(x + 0.5);
  const double t = (x - whole) * kLn2;  // |t| <= 0.347
  // Taylor series of e^t: the 18th term is below 1e-23.
  double sum = 1;
  for (int i = 18; i >= 1; --i) sum = 1 + sum * t / i;
  const int exponent = static_cast<int>(whole);
  const int half = exponent / 2;
  return Scale(Scale(sum, half), exponent - half);
}

double Log2(double x) {
  int exponent;
  double m = std::frexp(x, &exponent);  // [0.5, 1)
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  // ln m = 2 atanh((m-1)/(m+1)), |z| <= 0.1716
  const double z = (m - 1) / (m + 1), z2 = z * z;
  double sum = 0;
  for (int i = 25; i >= 1; i -= 2) sum = sum * z2 + 1.0 / i;
  return exponent + 2 * z * sum / kLn2;
}

double Pow(double x, double y) { return Exp2(y * Log2(x)); }

void SinCos(double x, double* sine, double* cosine) {
  // x - n * pi/2 with pi/2 in three parts (Cody and Waite): exact products for |n| < 2^23.
  constexpr double kPart1 = 1.57079632673412561417e+00, kPart2 = 6.07710050630396597660e-11,
                   kPart3 = 2.02226624879595063154e-21;
  const double n = std::floor(x * 0.636619772367581343076 + 0.5);
  const double r = ((x - n * kPart1) - n * kPart2) - n * kPart3, r2 = r * r;
  double s = 1, c = 1;
  for (int i = 20; i >= 2; i -= 2) {
    s = 1 - s * r2 / (i * (i + 1));
    c = 1 - c * r2 / (i * (i - 1));
  }
  s *= r;
  switch (static_cast<int64_t>(n) & 3) {
    case 0:
      *sine = s;
      *cosine = c;
      break;
    case 1:
      *sine = c;
      *cosine = -s;
      break;
    case 2:
      *sine = -s;
      *cosine = -c;
      break;
    default:
      *sine = -c;
      *cosine = s;
      break;
  }
}

double Cos(double x) {
  double s, c;
  SinCos(x, &s, &c);
  return c;
}

}  // namespace hone
