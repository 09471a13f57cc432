#include "kernels/gated.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

struct GatedCase {
  Gate activation;
  int64_t t, f;
};
class GatedTest : public testing::TestWithParam<GatedCase> {};
std::vector<GatedCase> Cases() {
  std::vector<GatedCase> cases;
  for (const Gate activation : {Gate::kSilu, Gate::kGeluTanh}) {
    for (const auto& [t, f] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {5, 15}, {7, 16}, {13, 100}, {3, 384}}) {
      cases.push_back({activation, t, f});
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Shapes, GatedTest, testing::ValuesIn(Cases()), [](const auto& test) {
  return std::string(test.param.activation == Gate::kSilu ? "SwiGlu" : "GeGlu") +
         std::to_string(test.param.t) + "x" + std::to_string(test.param.f);
});

TEST_P(GatedTest, EveryExecGivesTheReferencesBits) {
  const auto [activation, t, f] = GetParam();
  auto gate_up = RandomFloats(t * 2 * f, 1, 20);
  gate_up[0] = -200;  // exp overflows, tanh is -1: the activation is -0, its slope 0
  const auto dy = RandomFloats(t * f, 2);
  std::vector<float> expected(t * f), expected_grad(t * 2 * f);
  reference::Gated(activation, gate_up.data(), t, f, expected.data());
  reference::GatedBackward(activation, dy.data(), gate_up.data(), t, f, expected_grad.data());
  EXPECT_EQ(expected[0], 0);
  EXPECT_EQ(expected_grad[0], 0);
  ForEveryExec([&, activation = activation, t = t, f = f](const Exec& exec) {
    std::vector<float> y(t * f), grad(t * 2 * f);
    Gated(exec, activation, gate_up.data(), t, f, y.data());
    ExpectSameBits(expected, y);
    std::vector<float> again(t * f);
    std::vector<const float*> rows(t);
    for (int64_t r = 0; r < t; ++r) rows[r] = gate_up.data() + r * 2 * f;
    GatedBackward(exec, activation, dy.data(), rows.data(), t, f, grad.data(), again.data());
    ExpectSameBits(expected_grad, grad);
    ExpectSameBits(expected, again);
  });
}

double InDouble(Gate activation, double x) {
  if (activation == Gate::kSilu) return x / (1 + std::exp(-x));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(GatedTest, GradientsMatchFiniteDifferencesInDouble) {
  const int64_t t = 2, f = 19;
  const auto gate_up = RandomFloats(t * 2 * f, 3, 6), dy = RandomFloats(t * f, 4);
  for (const Gate activation : {Gate::kSilu, Gate::kGeluTanh}) {
    const auto loss = [&](const std::vector<double>& x) {
      double sum = 0;
      for (int64_t r = 0; r < t; ++r) {
        for (int64_t i = 0; i < f; ++i) {
          const double g = x[r * 2 * f + i], up = x[r * 2 * f + f + i];
          sum += dy[r * f + i] * InDouble(activation, g) * up;
        }
      }
      return sum;
    };
    std::vector<float> y(t * f), grad(t * 2 * f);
    reference::Gated(activation, gate_up.data(), t, f, y.data());
    double value = 0;
    for (int64_t i = 0; i < t * f; ++i) value += double(dy[i]) * y[i];
    EXPECT_NEAR(value, loss(ToDouble(gate_up)), 1e-5);
    reference::GatedBackward(activation, dy.data(), gate_up.data(), t, f, grad.data());
    for (int64_t i = 0; i < t * 2 * f; ++i) {
      EXPECT_NEAR(grad[i], NumericGradient(loss, ToDouble(gate_up), i), 5e-6);
    }
  }
}

}  // namespace
}  // namespace hone::kernels
