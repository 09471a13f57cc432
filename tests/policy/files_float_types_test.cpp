#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "common/philox.h"
#include "policy/files/float_types.h"

namespace hone {
namespace {

// The nearest of all numbers of a 16-bit type by trial, of two equally near ones the even.
template <class WidenOne>
uint16_t Nearest(float value, uint16_t below, WidenOne widen) {
  const double low = widen(below), high = widen(static_cast<uint16_t>(below + 1));
  const double from_low = value - low, from_high = high - value;
  if (from_low != from_high) return from_low < from_high ? below : below + 1;
  return below % 2 == 0 ? below : below + 1;
}

TEST(FloatTypesTest, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto word = static_cast<uint16_t>(bits);
    const float half = WidenF16(word), brain = WidenBf16(word);
    if (std::isnan(half)) {
      EXPECT_TRUE(std::isnan(WidenF16(NarrowToF16(half))));
    } else {
      EXPECT_EQ(NarrowToF16(half), word);
    }
    if (std::isnan(brain)) {
      EXPECT_TRUE(std::isnan(WidenBf16(NarrowToBf16(brain))));
    } else {
      EXPECT_EQ(NarrowToBf16(brain), word);
    }
  }
}

TEST(FloatTypesTest, WidensByTheDefinition) {
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const int exponent = static_cast<int>(bits >> 10), fraction = static_cast<int>(bits & 0x3FF);
    const double expected =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    EXPECT_EQ(WidenF16(static_cast<uint16_t>(bits)), expected) << bits;
  }
  EXPECT_EQ(WidenF16(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(WidenF16(0x7C01)));
}

TEST(FloatTypesTest, RoundsToNearestAndTiesToEven) {
  // Between all neighbours: a quarter, the middle, and the numbers beside the middle.
  for (uint16_t below = 0; below < 0x7BFF; ++below) {
    const float low = WidenF16(below), high = WidenF16(static_cast<uint16_t>(below + 1));
    const float middle = low + (high - low) / 2;  // exact
    for (const float value : {low + (high - low) / 4, middle, std::nextafter(middle, 0.0f),
                              std::nextafter(middle, 1e9f)}) {
      ASSERT_EQ(NarrowToF16(value), Nearest(value, below, WidenF16)) << value;
      ASSERT_EQ(NarrowToF16(-value), Nearest(value, below, WidenF16) | 0x8000) << value;
    }
  }
  for (uint64_t i = 0; i < 200'000; ++i) {
    const auto words =
        Philox(1, {.purpose = Purpose::kInitWeights, .group = i, .sample = 0, .position = 0});
    const uint32_t bits = words[0] & 0x7F7FFFFF;
    const uint32_t middle = (bits & 0xFFFF0000) | 0x8000;
    for (const uint32_t each : {bits, middle}) {
      const auto value = std::bit_cast<float>(each);
      if (std::isnan(value) || each >= 0x7F7F0000) continue;
      ASSERT_EQ(NarrowToBf16(value), Nearest(value, static_cast<uint16_t>(each >> 16), WidenBf16));
    }
  }
}

TEST(FloatTypesTest, WhatIsTooLargeBecomesInfinite) {
  EXPECT_EQ(NarrowToF16(65519.0f), 0x7BFF);
  EXPECT_EQ(NarrowToF16(65520.0f), 0x7C00);
  EXPECT_EQ(NarrowToF16(-1e30f), 0xFC00);
  EXPECT_EQ(NarrowToBf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(NarrowToF16(0x1p-25f), 0);  // half of the smallest: to even
  EXPECT_EQ(NarrowToF16(0x1.8p-25f), 1);
}

}  // namespace
}  // namespace hone
