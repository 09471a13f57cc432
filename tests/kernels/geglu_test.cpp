#include "kernels/geglu.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

class GeGluTest : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};  // t, f
INSTANTIATE_TEST_SUITE_P(Shapes, GeGluTest,
                         testing::Values(std::pair{1, 1}, std::pair{5, 15}, std::pair{7, 16},
                                         std::pair{13, 100}, std::pair{3, 384}));

TEST_P(GeGluTest, EveryExecGivesTheReferencesBits) {
  const auto [t, f] = GetParam();
  auto gate_up = RandomFloats(t * 2 * f, 1, 20);
  gate_up[0] = -200;  // tanh is -1: gelu is -0, its slope 0
  const auto dy = RandomFloats(t * f, 2);
  std::vector<float> expected(t * f), expected_grad(t * 2 * f);
  reference::GeGlu(gate_up.data(), t, f, expected.data());
  reference::GeGluBackward(dy.data(), gate_up.data(), t, f, expected_grad.data());
  EXPECT_EQ(expected[0], 0);
  EXPECT_EQ(expected_grad[0], 0);
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> y(t * f), grad(t * 2 * f);
    GeGlu(exec, gate_up.data(), t, f, y.data());
    ExpectSameBits(expected, y);
    std::vector<float> again(t * f);
    GeGluBackward(exec, dy.data(), gate_up.data(), t, f, grad.data(), again.data());
    ExpectSameBits(expected_grad, grad);
    ExpectSameBits(expected, again);
  });
}

TEST(GeGluTest, GradientsMatchFiniteDifferencesInDouble) {
  const int64_t t = 2, f = 19;
  const auto gate_up = RandomFloats(t * 2 * f, 3, 6), dy = RandomFloats(t * f, 4);
  const auto loss = [&](const std::vector<double>& x) {
    double sum = 0;
    for (int64_t r = 0; r < t; ++r) {
      for (int64_t i = 0; i < f; ++i) {
        const double g = x[r * 2 * f + i], up = x[r * 2 * f + f + i];
        const double inner = std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g);
        sum += dy[r * f + i] * g / 2 * (1 + std::tanh(inner)) * up;
      }
    }
    return sum;
  };
  std::vector<float> y(t * f), grad(t * 2 * f);
  reference::GeGlu(gate_up.data(), t, f, y.data());
  double value = 0;
  for (int64_t i = 0; i < t * f; ++i) value += double(dy[i]) * y[i];
  EXPECT_NEAR(value, loss(ToDouble(gate_up)), 1e-5);
  reference::GeGluBackward(dy.data(), gate_up.data(), t, f, grad.data());
  for (int64_t i = 0; i < t * 2 * f; ++i) {
    EXPECT_NEAR(grad[i], NumericGradient(loss, ToDouble(gate_up), i), 5e-6);
  }
}

}  // namespace
}  // namespace hone::kernels
