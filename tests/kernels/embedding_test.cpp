#include "kernels/embedding.h"

#include "every_exec.h"

namespace hone::kernels {
namespace {

TEST(EmbeddingTest, CopiesRowsAndAddsGradientsInOrder) {
  const int64_t v = 11, t = 70, d = 45;
  const auto table = RandomFloats(v * d, 1), dy = RandomFloats(t * d, 2);
  const auto start = RandomFloats(v * d, 3);
  std::vector<int32_t> tokens(t);
  for (int64_t i = 0; i < t; ++i) tokens[i] = static_cast<int32_t>(i * i % v);
  std::vector<float> expected(t * d), expected_grad = start;
  for (int64_t i = 0; i < t; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      expected[i * d + j] = table[tokens[i] * d + j];
      expected_grad[tokens[i] * d + j] += dy[i * d + j];
    }
  }
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> y(t * d), grad = start;
    Embed(exec, table.data(), tokens.data(), t, d, y.data());
    ExpectSameBits(expected, y);
    EmbedBackward(exec, dy.data(), tokens.data(), t, d, grad.data());
    ExpectSameBits(expected_grad, grad);
  });
}

TEST(EmbeddingTest, AScaleMultipliesRowsAndGradients) {
  const int64_t d = 19;
  const auto table = RandomFloats(3 * d, 1), dy = RandomFloats(d, 2);
  const int32_t token = 2;
  std::vector<float> y(d), grad(3 * d);
  Embed(Exec{}, table.data(), &token, 1, d, y.data(), 2.5f);
  EmbedBackward(Exec{}, dy.data(), &token, 1, d, grad.data(), 2.5f);
  for (int64_t i = 0; i < d; ++i) {
    EXPECT_EQ(y[i], 2.5f * table[2 * d + i]);
    EXPECT_EQ(grad[2 * d + i], 2.5f * dy[i]);
    EXPECT_EQ(grad[i], 0);
  }
}

TEST(AddTest, AddsElementByElement) {
  const auto x = RandomFloats(10001, 4), y0 = RandomFloats(10001, 5);
  std::vector<float> expected = y0;
  for (size_t i = 0; i < x.size(); ++i) expected[i] += x[i];
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> y = y0, sum(x.size());
    Add(exec, x.data(), y0.data(), static_cast<int64_t>(x.size()), sum.data());
    ExpectSameBits(expected, sum);
    Add(exec, x.data(), y.data(), static_cast<int64_t>(x.size()), y.data());
    ExpectSameBits(expected, y);
  });
}

}  // namespace
}  // namespace hone::kernels
