// What the kernel tests share: every instruction set of this machine with 1, 2 and 3 threads,
// numbers from a seed, and equality of bits.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/exec.h"

namespace hone::kernels {

inline std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas;
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (IsaAvailable(isa)) isas.push_back(isa);
  }
  return isas;
}

template <class Body>
void ForEveryExec(const Body& body) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (Isa isa : AvailableIsas()) {
      SCOPED_TRACE(IsaName(isa) + ", " + std::to_string(threads) + " threads");
      body(Exec{threads == 1 ? nullptr : &pool, isa});
    }
  }
}

// call(exec) by all threads at once, each as a member.
template <class Call>
void CallAsMembers(const Exec& exec, const Call& call) {
  if (exec.pool == nullptr) return call(exec);
  exec.pool->Together([&](int member) { call(Exec{exec.pool, exec.isa, member}); });
}

inline std::vector<float> RandomFloats(size_t n, uint32_t seed, float scale = 1) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& value : values) {
    value = scale * (static_cast<float>(engine() >> 8) * 0x1p-23f - 1);  // [-scale, scale)
  }
  return values;
}

// Stops at the first difference.
template <class T>
void ExpectSameBits(const std::vector<T>& expected, const std::vector<T>& found) {
  ASSERT_EQ(expected.size(), found.size());
  if (expected.empty()) return;
  if (std::memcmp(expected.data(), found.data(), expected.size() * sizeof(T)) == 0) return;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::memcmp(&expected[i], &found[i], sizeof(T)) != 0) {
      FAIL() << "element " << i << " of " << expected.size() << ": expected " << std::hexfloat
             << expected[i] << ", found " << found[i];
    }
  }
}

// |found - expected| <= tolerance * (1 + |expected|), element by element.
inline void ExpectClose(const std::vector<double>& expected, const std::vector<float>& found,
                        double tolerance) {
  ASSERT_EQ(expected.size(), found.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(expected[i] - found[i]);
    ASSERT_LE(error, tolerance * (1 + std::abs(expected[i])))
        << "element " << i << ": expected " << expected[i] << ", found " << found[i];
  }
}

inline std::vector<double> ToDouble(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// Central difference of f at x[i].
template <class F>
double NumericGradient(const F& f, std::vector<double> x, size_t i, double h = 1e-5) {
  const double at = x[i];
  x[i] = at + h;
  const double above = f(x);
  x[i] = at - h;
  return (above - f(x)) / (2 * h);
}

}  // namespace hone::kernels
