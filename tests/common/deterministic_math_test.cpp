#include "common/deterministic_math.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone {
namespace {

TEST(DeterministicMathTest, AgreesWithTheCLibrary) {
  for (double x = -50; x < 50; x += 0.137) {
    double s, c;
    SinCos(x * 1000, &s, &c);
    EXPECT_NEAR(s, std::sin(x * 1000), 1e-14);
    EXPECT_NEAR(c, std::cos(x * 1000), 1e-14);
    EXPECT_NEAR(Exp2(x) / std::exp2(x), 1, 1e-15);
    EXPECT_NEAR(Log2(std::abs(x) + 1e-3), std::log2(std::abs(x) + 1e-3), 1e-14);
  }
  EXPECT_NEAR(Pow(10000, -0.25), std::pow(10000, -0.25), 1e-15);
  EXPECT_EQ(Exp2(10), 1024);
  EXPECT_EQ(Log2(8), 3);
}

}  // namespace
}  // namespace hone
