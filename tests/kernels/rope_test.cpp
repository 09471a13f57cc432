#include "kernels/rope.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

class RopeTest : public testing::TestWithParam<int64_t> {};  // head_dim
INSTANTIATE_TEST_SUITE_P(HeadDims, RopeTest, testing::Values(2, 6, 32, 34, 64, 128));

TEST_P(RopeTest, EveryExecGivesTheReferencesBits) {
  const int64_t head_dim = GetParam(), heads = 3, t = 37, ld = heads * head_dim + 7;
  const RopeTable table = MakeRopeTable(head_dim, 50, 10000);
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
  const RopeTable table = MakeRopeTable(d, 40, theta);
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

TEST(RopeTableTest, RoundsFrequenciesAndAnglesAsTransformersDoes) {
  // torch: inv_freq = (1 / 1e6 ** (arange(0, 64, 2).float() / 64)); cos((4095 * inv_freq).double())
  const RopeTable table = MakeRopeTable(64, 4096, 1e6);
  for (int64_t i = 0; i < 32; ++i) {
    const auto frequency = static_cast<float>(1 / std::pow(1e6, double(2 * i) / 64));
    const float angle = 4095.0f * frequency;
    EXPECT_NEAR(table.cos_PH[4095 * 32 + i], std::cos(double(angle)), 6e-8);
    EXPECT_NEAR(table.sin_PH[4095 * 32 + i], std::sin(double(angle)), 6e-8);
  }
}

}  // namespace
}  // namespace hone::kernels
