#include "kernels/rmsnorm.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

constexpr float kEps = 1e-6f;

class RmsNormTest : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};  // t, d
INSTANTIATE_TEST_SUITE_P(Shapes, RmsNormTest,
                         testing::Values(std::pair{1, 1}, std::pair{3, 15}, std::pair{9, 16},
                                         std::pair{25, 100}, std::pair{2, 128},
                                         std::pair{17, 257}));

TEST_P(RmsNormTest, EveryExecGivesTheReferencesBits) {
  const auto [t, d] = GetParam();
  const auto x = RandomFloats(t * d, 1, 3), weight = RandomFloats(d, 2);
  std::vector<float> expected(t * d), expected_inv(t);
  reference::RmsNorm(x.data(), weight.data(), kEps, t, d, expected.data(), expected_inv.data());
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> y = x, inv(t);
    RmsNorm(exec, y.data(), weight.data(), kEps, t, d, y.data(), inv.data());  // in place
    ExpectSameBits(expected, y);
    ExpectSameBits(expected_inv, inv);
    RmsNorm(exec, x.data(), weight.data(), kEps, t, d, y.data(), nullptr);
    ExpectSameBits(expected, y);
  });
}

TEST_P(RmsNormTest, EveryExecGivesTheReferencesGradientBits) {
  const auto [t, d] = GetParam();
  const auto x = RandomFloats(t * d, 1, 3), weight = RandomFloats(d, 2);
  const auto dy = RandomFloats(t * d, 3), dx0 = RandomFloats(t * d, 4), dw0 = RandomFloats(d, 5);
  std::vector<float> y(t * d), inv(t), expected_dx = dx0, expected_dw = dw0;
  reference::RmsNorm(x.data(), weight.data(), kEps, t, d, y.data(), inv.data());
  reference::RmsNormBackward(dy.data(), x.data(), weight.data(), inv.data(), t, d,
                             expected_dx.data(), expected_dw.data());
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> dx = dx0, dw = dw0;
    RmsNormBackward(exec, dy.data(), x.data(), weight.data(), inv.data(), t, d, dx.data(),
                    dw.data());
    ExpectSameBits(expected_dx, dx);
    ExpectSameBits(expected_dw, dw);
  });
}

TEST_P(RmsNormTest, AnOffsetOfTheWeightIsTheWeightThatMuchLarger) {
  const auto [t, d] = GetParam();
  const auto x = RandomFloats(t * d, 1, 3), weight = RandomFloats(d, 2),
             dy = RandomFloats(t * d, 3);
  std::vector<float> larger = weight;
  for (float& w : larger) w += 1.0f;
  std::vector<float> y(t * d), inv(t), dx(t * d), dw(d);
  reference::RmsNorm(x.data(), larger.data(), kEps, t, d, y.data(), inv.data());
  reference::RmsNormBackward(dy.data(), x.data(), larger.data(), inv.data(), t, d, dx.data(),
                             dw.data());
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> found(t * d), found_inv(t), found_dx(t * d), found_dw(d);
    RmsNorm(exec, x.data(), weight.data(), kEps, t, d, found.data(), found_inv.data(), 1);
    ExpectSameBits(y, found);
    RmsNormBackward(exec, dy.data(), x.data(), weight.data(), found_inv.data(), t, d,
                    found_dx.data(), found_dw.data(), 1);
    ExpectSameBits(dx, found_dx);
    ExpectSameBits(dw, found_dw);
  });
}

// Rows of heads side by side, between other columns that stay as they are.
TEST_P(RmsNormTest, NormsOfHeadsAreNormsOfRows) {
  const auto [t, d] = GetParam();
  const int64_t heads = 3, ld = heads * d + 5, ld_x = heads * d + 2;
  const auto x = RandomFloats(t * ld, 1, 3), weight = RandomFloats(d, 2);
  const auto before = RandomFloats(t * ld_x, 6, 3), dy = RandomFloats(t * ld, 3),
             dw0 = RandomFloats(d, 5);
  const HeadNorm norm = {weight.data(), kEps, 1.0f, heads, d};
  std::vector<float> expected = x, expected_dx = dy, expected_dw = dw0;
  reference::RmsNormHeads(norm, t, expected.data(), ld);
  reference::RmsNormHeadsBackward(norm, t, before.data(), ld_x, expected_dx.data(), ld,
                                  expected_dw.data());
  std::vector<float> row(d);
  reference::RmsNorm(x.data() + (t - 1) * ld + d, weight.data(), kEps, 1, d, row.data(), nullptr,
                     1);
  for (int64_t i = 0; i < d; ++i) EXPECT_EQ(expected[(t - 1) * ld + d + i], row[i]);
  EXPECT_EQ(expected[heads * d], x[heads * d]);
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> y = x, dx = dy, dw = dw0;
    RmsNormHeads(exec, norm, t, y.data(), ld);
    ExpectSameBits(expected, y);
    const std::vector<float> dy_before = dx;
    std::vector<float> inv_rms(t * norm.heads);
    RmsNormHeadsBackwardX(exec, norm, t, before.data(), ld_x, dx.data(), ld, inv_rms.data());
    const int64_t half = d / 2;
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, half}, {half, d}}) {
      RmsNormHeadsBackwardWeight(exec, norm, t, before.data(), ld_x, dy_before.data(), ld,
                                 inv_rms.data(), begin, end, dw.data());
    }
    ExpectSameBits(expected_dx, dx);
    ExpectSameBits(expected_dw, dw);
  });
}

TEST(RmsNormTest, GradientsMatchFiniteDifferencesInDouble) {
  const int64_t t = 3, d = 21;
  const auto x = RandomFloats(t * d, 1, 3), weight = RandomFloats(d, 2),
             dy = RandomFloats(t * d, 3);
  const auto loss = [&](const std::vector<double>& both) {  // x, then weight
    double sum = 0;
    for (int64_t r = 0; r < t; ++r) {
      double squares = 0;
      for (int64_t i = 0; i < d; ++i) squares += both[r * d + i] * both[r * d + i];
      const double inv = 1 / std::sqrt(squares / double(d) + kEps);
      for (int64_t i = 0; i < d; ++i)
        sum += dy[r * d + i] * both[r * d + i] * inv * both[t * d + i];
    }
    return sum;
  };
  std::vector<double> both = ToDouble(x);
  both.insert(both.end(), weight.begin(), weight.end());
  std::vector<float> y(t * d), inv(t), dx(t * d), dw(d);
  reference::RmsNorm(x.data(), weight.data(), kEps, t, d, y.data(), inv.data());
  double value = 0;
  for (int64_t i = 0; i < t * d; ++i) value += double(dy[i]) * y[i];
  EXPECT_NEAR(value, loss(both), 1e-5);
  reference::RmsNormBackward(dy.data(), x.data(), weight.data(), inv.data(), t, d, dx.data(),
                             dw.data());
  for (int64_t i = 0; i < t * d; ++i) EXPECT_NEAR(dx[i], NumericGradient(loss, both, i), 1e-5);
  for (int64_t i = 0; i < d; ++i) EXPECT_NEAR(dw[i], NumericGradient(loss, both, t * d + i), 1e-5);
}

}  // namespace
}  // namespace hone::kernels
