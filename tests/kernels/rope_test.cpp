#include "kernels/rope.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

// 1 / theta^(2i / dims), rounded to float.
std::vector<float> Frequencies(int64_t dims, double theta) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < dims; i += 2) {
    frequencies.push_back(static_cast<float>(std::pow(theta, -double(i) / double(dims))));
  }
  return frequencies;
}

class RopeTest : public testing::TestWithParam<int64_t> {};  // head_dim
INSTANTIATE_TEST_SUITE_P(HeadDims, RopeTest, testing::Values(2, 6, 32, 34, 64, 128));

TEST_P(RopeTest, EveryExecGivesTheReferencesBits) {
  const int64_t head_dim = GetParam(), heads = 3, t = 37, ld = heads * head_dim + 7;
  const RopeTable table = MakeRopeTable(head_dim, 50, Frequencies(head_dim, 10000));
  const auto x = RandomFloats(t * ld, 1);
  std::vector<int32_t> positions(t);
  for (int64_t i = 0; i < t; ++i) positions[i] = static_cast<int32_t>(i * 29 % 50);
  for (bool inverse : {false, true}) {
    std::vector<float> expected = x;
    reference::Rope(expected.data(), ld, t, heads, positions.data(), table, inverse);
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> found = x;
      Rope(exec, found.data(), ld, t, heads, positions.data(), table, inverse);
      ExpectSameBits(expected, found);
    });
  }
}

TEST_P(RopeTest, RotatesPairsByPositionTimesFrequencyAndBack) {
  const int64_t d = GetParam(), half = d / 2;
  const double theta = 10000;
  const RopeTable table = MakeRopeTable(d, 40, Frequencies(d, theta));
  const auto x = RandomFloats(d, 2);
  for (int32_t position : {0, 1, 39}) {
    std::vector<float> y = x;
    reference::Rope(y.data(), d, 1, 1, &position, table, false);
    for (int64_t i = 0; i < half; ++i) {
      const double angle = position * std::pow(theta, -2.0 * double(i) / double(d));
      EXPECT_NEAR(y[i], x[i] * std::cos(angle) - x[half + i] * std::sin(angle), 5e-6);
      EXPECT_NEAR(y[half + i], x[half + i] * std::cos(angle) + x[i] * std::sin(angle), 5e-6);
    }
    reference::Rope(y.data(), d, 1, 1, &position, table, true);
    ExpectClose(ToDouble(x), y, 1e-6);
  }
}

TEST_P(RopeTest, TurnsTheFirstDimensionsOnlyAndByTheFactor) {
  const int64_t d = GetParam() + 6, rotary = GetParam(), heads = 2, ld = heads * d;
  const RopeTable plain = MakeRopeTable(rotary, 20, Frequencies(rotary, 500));
  const RopeTable table = MakeRopeTable(d, 20, Frequencies(rotary, 500), 1.25f);
  EXPECT_EQ(table.rotary_dim, rotary);
  const int32_t position = 13;
  const auto x = RandomFloats(ld, 3);
  for (const bool inverse : {false, true}) {
    std::vector<float> reference = x;
    reference::Rope(reference.data(), ld, 1, heads, &position, table, inverse);
    for (int64_t head = 0; head < heads; ++head) {
      std::vector<float> expected(x.begin() + head * d, x.begin() + head * d + rotary);
      reference::Rope(expected.data(), rotary, 1, 1, &position, plain, inverse);
      for (int64_t i = 0; i < d; ++i) {
        const float found = reference[head * d + i];
        if (i < rotary) {
          EXPECT_NEAR(found, 1.25f * expected[i], 1e-6);
        } else {
          EXPECT_EQ(found, x[head * d + i]);
        }
      }
    }
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> found = x;
      Rope(exec, found.data(), ld, 1, heads, &position, table, inverse);
      ExpectSameBits(reference, found);
    });
  }
}

TEST(RopeTableTest, RoundsAnglesAsTransformersDoes) {
  // torch: inv_freq = (1 / 1e6 ** (arange(0, 64, 2).float() / 64)); cos((4095 * inv_freq).double())
  const std::vector<float> frequencies = Frequencies(64, 1e6);
  const RopeTable table = MakeRopeTable(64, 4096, frequencies);
  for (int64_t i = 0; i < 32; ++i) {
    const float angle = 4095.0f * frequencies[i];
    EXPECT_NEAR(table.cos_PH[4095 * 32 + i], std::cos(double(angle)), 6e-8);
    EXPECT_NEAR(table.sin_PH[4095 * 32 + i], std::sin(double(angle)), 6e-8);
  }
}

}  // namespace
}  // namespace hone::kernels
