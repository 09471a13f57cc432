#include "kernels/adamw.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

AdamWStep StepNumber(int step) {
  AdamWStep s{.learning_rate = 1e-3, .weight_decay = 0.1};
  s.bias_correction1 = 1 - std::pow(s.beta1, step);
  s.bias_correction2 = 1 - std::pow(s.beta2, step);
  s.grad_scale = 0.5f;
  return s;
}

TEST(AdamWTest, EveryExecGivesTheReferencesBits) {
  for (int64_t n : {1, 15, 16, 33, 9001}) {
    const auto w0 = RandomFloats(n, 1), grad = RandomFloats(n, 2);
    auto expected_w = w0;
    std::vector<float> expected_m(n), expected_v(n);
    for (int step = 1; step <= 3; ++step) {
      reference::AdamW(StepNumber(step), expected_w.data(), grad.data(), expected_m.data(),
                       expected_v.data(), n, expected_w.data());
    }
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> w = w0, m(n), v(n);
      for (int step = 1; step <= 3; ++step) {
        std::vector<float> next = grad;  // the weights take the gradient's place
        AdamW(exec, StepNumber(step), w.data(), next.data(), m.data(), v.data(), n, next.data());
        w = next;
      }
      ExpectSameBits(expected_w, w);
      ExpectSameBits(expected_m, m);
      ExpectSameBits(expected_v, v);
    });
  }
}

TEST(AdamWTest, FollowsTheAlgorithmInDouble) {
  const int64_t n = 50;
  const auto w0 = RandomFloats(n, 1), grad = RandomFloats(n, 2);
  std::vector<double> w = ToDouble(w0), m(n), v(n);
  std::vector<float> found = w0, found_m(n), found_v(n);
  for (int step = 1; step <= 20; ++step) {
    const AdamWStep s = StepNumber(step);
    for (int64_t i = 0; i < n; ++i) {
      const double g = 0.5 * grad[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const double m_hat = m[i] / s.bias_correction1, v_hat = v[i] / s.bias_correction2;
      w[i] = w[i] * (1 - 1e-3 * 0.1) - 1e-3 * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
    reference::AdamW(s, found.data(), grad.data(), found_m.data(), found_v.data(), n, found.data());
  }
  ExpectClose(w, found, 1e-6);
}

TEST(SumOfSquaresTest, EveryExecGivesTheReferencesBits) {
  for (int64_t n : {0, 1, 15, 16, 17, 4096, 4097, 30011}) {
    const auto x = RandomFloats(n, 3);
    const double expected = reference::SumOfSquares(x.data(), n);
    double plain = 0;
    for (float value : x) plain += double(value) * value;
    EXPECT_NEAR(expected, plain, 1e-12 * (1 + plain));
    ForEveryExec([&](const Exec& exec) {
      EXPECT_EQ(std::bit_cast<uint64_t>(expected),
                std::bit_cast<uint64_t>(SumOfSquares(exec, x.data(), n)));
    });
  }
}

}  // namespace
}  // namespace hone::kernels
