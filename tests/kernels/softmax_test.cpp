#include "kernels/softmax.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "every_exec.h"
#include "kernels/isa_kernels.h"

namespace hone::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Distance to the exact value in units of the last place of a float near it.
double Ulps(double exact, float found) {
  int exponent;
  std::frexp(exact, &exponent);
  return std::abs(exact - found) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

// Floats over the whole range: every `step`-th bit pattern of both signs.
std::vector<float> SampledFloats(uint32_t step) {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < 0x7f800000; bits += step) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    x.push_back(-x.back());
  }
  for (float special : {kInfinity, -kInfinity, 88.72283f, 88.72284f, -103.97f, -104.1f}) {
    x.push_back(special);
  }
  return x;
}

TEST(ExpTest, IsWithinOneUlpOverTheWholeRange) {
  double worst = 0;
  for (float x : SampledFloats(3001)) {
    const double exact = std::exp(double(x));
    if (exact > std::numeric_limits<float>::max()) {
      EXPECT_EQ(Exp(x), kInfinity) << x;
    } else if (x > -104) {
      worst = std::max(worst, Ulps(exact, Exp(x)));
    } else {
      EXPECT_EQ(Exp(x), 0) << x;
    }
  }
  EXPECT_LT(worst, 1);
  EXPECT_EQ(Exp(0), 1);
  EXPECT_EQ(Exp(-0.0f), 1);
  EXPECT_TRUE(std::isnan(Exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(ExpTest, SixteenLanesGiveTheBitsOfOne) {
  const std::vector<float> x = SampledFloats(1009);
  std::vector<float> expected(x.size());
  for (size_t i = 0; i < x.size(); ++i) expected[i] = Exp(x[i]);
  for (Isa isa : AvailableIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const SoftmaxKernels& kernels = isa == Isa::kAvx512 ? avx512::kSoftmax
                                    : isa == Isa::kAvx2 ? avx2::kSoftmax
                                                        : scalar::kSoftmax;
    std::vector<float> y(x.size());
    kernels.exp(x.data(), static_cast<int64_t>(x.size()), y.data());
    ExpectSameBits(expected, y);
    float nan = std::numeric_limits<float>::quiet_NaN();
    kernels.exp(&nan, 1, &nan);
    EXPECT_TRUE(std::isnan(nan));
  }
}

TEST(TanhTest, IsWithinThreeUlp) {
  double worst = 0;
  for (float x : SampledFloats(3001)) {
    if (std::abs(x) > 1e-30f) worst = std::max(worst, Ulps(std::tanh(double(x)), Tanh(x)));
  }
  for (float x = -10; x < 10; x += 0.00037f)
    worst = std::max(worst, Ulps(std::tanh(double(x)), Tanh(x)));
  EXPECT_LE(worst, 3.0);
  EXPECT_EQ(Tanh(0), 0);
  EXPECT_EQ(Tanh(kInfinity), 1);
  EXPECT_EQ(Tanh(-kInfinity), -1);
  EXPECT_TRUE(std::isnan(Tanh(std::numeric_limits<float>::quiet_NaN())));
}

TEST(LogTest, IsWithinOneUlpForPositiveFloats) {
  double worst = 0;
  for (float x : SampledFloats(1999)) {
    if (!(x > 0) || x == kInfinity) continue;
    worst = std::max(worst, Ulps(std::log(double(x)), Log(x)));
  }
  for (uint32_t i = 0; i < 200000; ++i) {  // near 1, where the result is small
    const float x = std::bit_cast<float>(0x3f800000 - 100000 + i);
    if (x != 1) worst = std::max(worst, Ulps(std::log(double(x)), Log(x)));
  }
  EXPECT_LT(worst, 1);
  EXPECT_EQ(Log(1), 0);
  EXPECT_EQ(Log(0), -kInfinity);
  EXPECT_EQ(Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Log(-1)));
}

struct Rows {
  int64_t rows, v;
  float temperature;
};
class LogitRowsTest : public testing::TestWithParam<Rows> {
 protected:
  void SetUp() override {
    const auto [r, vocabulary, tau] = GetParam();
    rows = r, v = vocabulary, ld = v + 3, temperature = tau;
    logits = RandomFloats(rows * ld, 1, 12);
    for (int64_t i = 0; i < rows; ++i) targets.push_back(static_cast<int32_t>(i * 7 % v));
  }
  int64_t rows, v, ld;
  float temperature;
  std::vector<float> logits;
  std::vector<int32_t> targets;
};
INSTANTIATE_TEST_SUITE_P(Shapes, LogitRowsTest,
                         testing::Values(Rows{1, 1, 1}, Rows{5, 15, 1}, Rows{4, 16, 0.7f},
                                         Rows{3, 100, 1.3f}, Rows{7, 513, 1}));

TEST_P(LogitRowsTest, LogSumExpAndEntropyGiveTheReferencesBits) {
  std::vector<float> expected(rows), expected_entropy(rows);
  reference::LogSumExpRows(logits.data(), ld, rows, v, temperature, expected.data(),
                           expected_entropy.data());
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> lse(rows), entropy(rows);
    LogSumExpRows(exec, logits.data(), ld, rows, v, temperature, lse.data(), entropy.data());
    ExpectSameBits(expected, lse);
    ExpectSameBits(expected_entropy, entropy);
    LogSumExpRows(exec, logits.data(), ld, rows, v, temperature, lse.data(), nullptr);
    ExpectSameBits(expected, lse);
    for (int64_t r = 0; r < rows; ++r) {
      const LogitRow row = LogSumExpRow(exec.isa, logits.data() + r * ld, v, temperature, nullptr);
      lse[r] = row.log_sum_exp, entropy[r] = row.entropy;
    }
    ExpectSameBits(expected, lse);
    ExpectSameBits(expected_entropy, entropy);
  });
}

TEST_P(LogitRowsTest, BlockSumsAreOfTheWeightsOfEachBlockOnEveryIsa) {
  const int64_t blocks = (v + kLogitBlock - 1) / kLogitBlock;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits.data() + r * ld;
    std::vector<float> expected(blocks);
    LogSumExpRow(Isa::kScalar, row, v, temperature, expected.data());
    for (Isa isa : AvailableIsas()) {
      std::vector<float> sums(blocks, -1.0f), weights(v);
      const float max = LogSumExpRow(isa, row, v, temperature, sums.data()).max;
      ExpectSameBits(expected, sums);
      ExpRow(isa, row, v, temperature, max, weights.data());
      EXPECT_EQ(*std::max_element(weights.begin(), weights.end()), 1);
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t begin = block * kLogitBlock, end = std::min(begin + kLogitBlock, v);
        const double sum = std::accumulate(weights.begin() + begin, weights.begin() + end, 0.0);
        EXPECT_NEAR(sums[block], sum, 1e-5 * sum);
      }
    }
  }
}

TEST_P(LogitRowsTest, LogSumExpAndEntropyAreCloseToDouble) {
  std::vector<float> lse(rows), entropy(rows);
  reference::LogSumExpRows(logits.data(), ld, rows, v, temperature, lse.data(), entropy.data());
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0, weighted = 0;
    for (int64_t j = 0; j < v; ++j) sum += std::exp(double(logits[r * ld + j]) / temperature);
    for (int64_t j = 0; j < v; ++j) {
      const double log_p = double(logits[r * ld + j]) / temperature - std::log(sum);
      weighted -= std::exp(log_p) * log_p;
    }
    EXPECT_NEAR(lse[r], std::log(sum), 2e-6);
    EXPECT_NEAR(entropy[r], weighted, 2e-6);
  }
}

TEST_P(LogitRowsTest, ProbabilitiesSumToOneAndAgreeOnEveryIsa) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits.data() + r * ld;
    const float lse = LogSumExpRow(Isa::kScalar, row, v, temperature, nullptr).log_sum_exp;
    std::vector<float> expected(v);
    for (int64_t j = 0; j < v; ++j) expected[j] = Exp(row[j] / temperature - lse);
    for (Isa isa : AvailableIsas()) {
      std::vector<float> p(v);
      ExpRow(isa, row, v, temperature, lse, p.data());
      ExpectSameBits(expected, p);
    }
    double sum = 0;
    for (float p : expected) sum += p;
    EXPECT_NEAR(sum, 1, 5e-6);
  }
}

TEST_P(LogitRowsTest, GradientsGiveTheReferencesBitsAndMatchFiniteDifferences) {
  const auto dlogprob = RandomFloats(rows, 2), dentropy = RandomFloats(rows, 3);
  std::vector<float> lse(rows), entropy(rows);
  reference::LogSumExpRows(logits.data(), ld, rows, v, temperature, lse.data(), entropy.data());
  for (const float* de : {static_cast<const float*>(nullptr), dentropy.data()}) {
    std::vector<float> expected = logits;
    reference::LogProbGradRows(expected.data(), ld, rows, v, temperature, targets.data(),
                               lse.data(), entropy.data(), dlogprob.data(), de);
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> found = logits;
      LogProbGradRows(exec, found.data(), ld, rows, v, temperature, targets.data(), lse.data(),
                      entropy.data(), dlogprob.data(), de);
      ExpectSameBits(expected, found);
    });
    for (int64_t r = 0; r < rows; ++r) {
      const auto loss = [&](const std::vector<double>& x) {
        double sum = 0, h = 0;
        for (double z : x) sum += std::exp(z / temperature);
        for (double z : x) h -= std::exp(z / temperature) / sum * (z / temperature - std::log(sum));
        return dlogprob[r] * (x[targets[r]] / temperature - std::log(sum)) +
               (de == nullptr ? 0 : de[r]) * h;
      };
      const std::vector<double> x(logits.begin() + r * ld, logits.begin() + r * ld + v);
      for (int64_t j = 0; j < v; j += 1 + v / 20) {
        EXPECT_NEAR(expected[r * ld + j], NumericGradient(loss, x, j), 3e-6);
      }
    }
  }
}

TEST(LogitRowTest, LogitsOfMinusInfinityHaveProbabilityZeroAndNoGradient) {
  std::vector<float> logits = RandomFloats(40, 5, 4);
  for (int i : {0, 7, 39}) logits[i] = -kInfinity;
  const int32_t target = 3;
  const float one = 1;
  ForEveryExec([&](const Exec& exec) {
    float lse, entropy;
    LogSumExpRows(exec, logits.data(), 40, 1, 40, 1, &lse, &entropy);
    EXPECT_TRUE(std::isfinite(lse));
    EXPECT_TRUE(std::isfinite(entropy));
    std::vector<float> grad = logits;
    LogProbGradRows(exec, grad.data(), 40, 1, 40, 1, &target, &lse, &entropy, &one, &one);
    for (int i : {0, 7, 39}) EXPECT_EQ(grad[i], 0);
    for (float g : grad) EXPECT_TRUE(std::isfinite(g));
  });
}

}  // namespace
}  // namespace hone::kernels
