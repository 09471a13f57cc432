#include "kernels/matmul.h"

#include "common/buffer.h"
#include "every_exec.h"
#include "kernels/gated_matmul.h"

namespace hone::kernels {
namespace {

struct Shape {
  int64_t m, k, n;
};
const Shape kShapes[] = {{1, 1, 1},     {1, 7, 33},     {2, 64, 256},   {3, 17, 31},
                         {4, 300, 97},  {5, 16, 130},   {7, 513, 32},   {11, 40, 65},
                         {12, 129, 64}, {13, 256, 96},  {24, 3, 16},    {25, 270, 48},
                         {64, 128, 17}, {100, 33, 384}, {3, 0, 5},      {26, 1600, 40},
                         {600, 5, 70},  {3, 1021, 40},  {10, 1021, 70}, {26, 2045, 40}};

// With row strides larger than the rows; what lies between them must not change. Strides of 1024
// and 2048 are among them: multiples of 4 KiB, whose rows share a set of the first-level cache.
struct Problem {
  explicit Problem(const Shape& shape)
      : m(shape.m),
        k(shape.k),
        n(shape.n),
        lda(k + 3),
        ldc(n + 5),
        a(RandomFloats(m * lda, 1)),
        b_KN(RandomFloats(k * n, 2)),
        bias(RandomFloats(n, 3)),
        c(RandomFloats(m * ldc, 4)) {}
  int64_t m, k, n, lda, ldc;
  std::vector<float> a, b_KN, bias, c;
};

// A matrix with its memory: of floats, or of words that each hold two numbers of bf16.
template <class Word>
struct Packed : PackedMatrix {
  Buffer<Word> memory;
};

// Packs b [k, n] into memory that was used before: what it held must not show in the padding.
template <class Word = float>
Packed<Word> Pack(const Exec& exec, const float* b_KN, int64_t k, int64_t n) {
  std::vector<float> b_NK(n * k);
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) b_NK[j * k + i] = b_KN[i * n + j];
  }
  Packed<Word> packed;
  packed.memory.Reserve(std::is_same_v<Word, float> ? PackedSize(n, k) : PackedPairs(n, k));
  std::fill(packed.memory.begin(), packed.memory.end(), Word{7});
  static_cast<PackedMatrix&>(packed) =
      PackTransposed(exec, b_NK.data(), n, k, packed.memory.data());
  return packed;
}

uint32_t BitsOf(float value) { return std::bit_cast<uint32_t>(value); }

// Numbers of bf16.
void ClearLowerHalves(std::vector<float>* values) {
  for (float& value : *values) value = std::bit_cast<float>(BitsOf(value) & 0xffff0000);
}

class MatmulTest : public testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, MatmulTest, testing::ValuesIn(kShapes), [](const auto& test) {
  return std::to_string(test.param.m) + "x" + std::to_string(test.param.k) + "x" +
         std::to_string(test.param.n);
});

template <class Word>
void ExpectReferenceBits(const Problem& p) {
  for (bool accumulate : {false, true}) {
    for (bool with_bias : {false, true}) {
      const float* bias = with_bias ? p.bias.data() : nullptr;
      std::vector<float> expected = p.c;
      reference::Matmul(p.a.data(), p.lda, p.m, p.b_KN.data(), p.k, p.n, expected.data(), p.ldc,
                        bias, accumulate);
      ForEveryExec([&](const Exec& exec) {
        const auto packed = Pack<Word>(exec, p.b_KN.data(), p.k, p.n);
        std::vector<float> c = p.c;
        Matmul(exec, p.a.data(), p.lda, p.m, packed, c.data(), p.ldc, bias,
               accumulate ? c.data() : nullptr);
        ExpectSameBits(expected, c);
        if (!accumulate) return;
        std::vector<float> elsewhere = p.c;  // what lies between rows stays
        for (int64_t i = 0; i < p.m; ++i) std::fill_n(elsewhere.data() + i * p.ldc, p.n, -1.0f);
        Matmul(exec, p.a.data(), p.lda, p.m, packed, elsewhere.data(), p.ldc, bias, p.c.data());
        ExpectSameBits(expected, elsewhere);
      });
    }
  }
}

TEST_P(MatmulTest, EveryExecGivesTheReferencesBits) {
  ExpectReferenceBits<float>(Problem(GetParam()));
}

TEST_P(MatmulTest, PackingFillsPanelsOf32Columns) {
  const Problem p(GetParam());
  const int64_t panels = (p.n + kPanel - 1) / kPanel;
  std::vector<float> expected(panels * p.k * kPanel);
  for (int64_t i = 0; i < p.k; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      expected[(j / kPanel * p.k + i) * kPanel + j % kPanel] = p.b_KN[i * p.n + j];
    }
  }
  ForEveryExec([&](const Exec& exec) {
    const Packed<float> packed = Pack(exec, p.b_KN.data(), p.k, p.n);
    ExpectSameBits(expected, std::vector<float>(packed.memory.begin(), packed.memory.end()));
  });
}

TEST_P(MatmulTest, OfBf16EveryExecGivesTheBitsOfTheFloatsItStandsFor) {
  Problem p(GetParam());
  ClearLowerHalves(&p.b_KN);
  ExpectReferenceBits<uint32_t>(p);
}

TEST_P(MatmulTest, PackingBf16PutsTwoStepsInAWord) {
  Problem p(GetParam());
  ClearLowerHalves(&p.b_KN);
  std::vector<uint32_t> expected(PackedPairs(p.n, p.k));
  for (int64_t i = 0; i < p.k; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      uint32_t& word = expected[(j / kPanel * ((p.k + 1) / 2) + i / 2) * kPanel + j % kPanel];
      word |= BitsOf(p.b_KN[i * p.n + j]) >> (i % 2 == 0 ? 16 : 0);
    }
  }
  ForEveryExec([&](const Exec& exec) {
    const auto packed = Pack<uint32_t>(exec, p.b_KN.data(), p.k, p.n);
    ExpectSameBits(expected, std::vector<uint32_t>(packed.memory.begin(), packed.memory.end()));
  });
}

TEST_P(MatmulTest, InputGradientsAreTheReferencesBits) {
  const Problem p(GetParam());
  for (bool accumulate : {false, true}) {
    std::vector<float> expected = p.c;
    reference::Matmul(p.a.data(), p.lda, p.m, p.b_KN.data(), p.k, p.n, expected.data(), p.ldc,
                      nullptr, accumulate);
    ForEveryExec([&](const Exec& exec) {
      std::vector<float> c = p.c;
      MatmulGradInput(exec, p.a.data(), p.lda, p.b_KN.data(), p.m, p.k, p.n, c.data(), p.ldc,
                      accumulate);
      ExpectSameBits(expected, c);
    });
  }
}

TEST_P(MatmulTest, GatedProductsAreTheBitsOfProductAndActivation) {
  const Problem p(GetParam());
  const std::vector<float> up_KN = RandomFloats(p.k * p.n, 5);
  std::vector<float> gate_up(p.m * 2 * p.n), act(p.m * p.n);
  reference::Matmul(p.a.data(), p.lda, p.m, p.b_KN.data(), p.k, p.n, gate_up.data(), 2 * p.n,
                    nullptr, false);
  reference::Matmul(p.a.data(), p.lda, p.m, up_KN.data(), p.k, p.n, gate_up.data() + p.n, 2 * p.n,
                    nullptr, false);
  reference::Gated(Gate::kSilu, gate_up.data(), p.m, p.n, act.data());
  const std::vector<float> bias = RandomFloats(2 * p.n, 6);
  std::vector<float> biased = gate_up, biased_act(act.size());
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < 2 * p.n; ++j) biased[i * 2 * p.n + j] += bias[j];
  }
  reference::Gated(Gate::kGeluTanh, biased.data(), p.m, p.n, biased_act.data());
  ForEveryExec([&](const Exec& exec) {
    const Packed<float> gate = Pack(exec, p.b_KN.data(), p.k, p.n),
                        up = Pack(exec, up_KN.data(), p.k, p.n);
    std::vector<float> both(gate_up.size()), out(act.size());
    MatmulGated(exec, Gate::kSilu, p.a.data(), p.lda, p.m, gate, up, both.data(), out.data());
    ExpectSameBits(gate_up, both);
    ExpectSameBits(act, out);
    MatmulGated(exec, Gate::kGeluTanh, p.a.data(), p.lda, p.m, gate, up, both.data(), out.data(),
                bias.data());
    ExpectSameBits(biased, both);
    ExpectSameBits(biased_act, out);
  });
}

TEST_P(MatmulTest, OfBf16GatedProductsAreTheBitsOfTheFloatsItStandsFor) {
  Problem p(GetParam());
  std::vector<float> up_KN = RandomFloats(p.k * p.n, 5);
  ClearLowerHalves(&p.b_KN);
  ClearLowerHalves(&up_KN);
  const std::vector<float> bias = RandomFloats(2 * p.n, 6);
  ForEveryExec([&](const Exec& exec) {
    const auto run = [&](const PackedMatrix& gate, const PackedMatrix& up) {
      std::vector<float> out(p.m * 3 * p.n);
      MatmulGated(exec, Gate::kSilu, p.a.data(), p.lda, p.m, gate, up, out.data(),
                  out.data() + p.m * 2 * p.n, bias.data());
      return out;
    };
    ExpectSameBits(run(Pack(exec, p.b_KN.data(), p.k, p.n), Pack(exec, up_KN.data(), p.k, p.n)),
                   run(Pack<uint32_t>(exec, p.b_KN.data(), p.k, p.n),
                       Pack<uint32_t>(exec, up_KN.data(), p.k, p.n)));
  });
}

// What `after` sees is done, whole groups of columns at a time, and every output is seen once.
TEST_P(MatmulTest, PartsOfWholeColumnsAreTakenAsSoonAsTheyAreThere) {
  const Problem p(GetParam());
  for (int64_t whole : {1, 16, 48, 64}) {
    std::vector<float> expected = p.c;
    reference::Matmul(p.a.data(), p.lda, p.m, p.b_KN.data(), p.k, p.n, expected.data(), p.ldc,
                      p.bias.data(), /*accumulate=*/false);
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j)
        expected[i * p.ldc + j] *= static_cast<float>(j / whole + 2);
    }
    ForEveryExec([&](const Exec& exec) {
      const Packed<float> packed = Pack(exec, p.b_KN.data(), p.k, p.n);
      std::vector<float> c = p.c;
      const auto scale = [&](const OutputPart& part) {
        ASSERT_TRUE(part.column % whole == 0);
        ASSERT_TRUE(part.columns % whole == 0 || part.column + part.columns == p.n);
        for (int64_t i = part.row; i < part.row + part.rows; ++i) {
          for (int64_t j = part.column; j < part.column + part.columns; ++j) {
            c[i * p.ldc + j] *= static_cast<float>(j / whole + 2);
          }
        }
      };
      MatmulThen(exec, p.a.data(), p.lda, p.m, packed, c.data(), p.ldc, p.bias.data(), whole,
                 scale);
      ExpectSameBits(expected, c);
    });
  }
}

TEST_P(MatmulTest, IsCloseToTheProductInDouble) {
  const Problem p(GetParam());
  std::vector<float> c(p.m * p.n);
  std::vector<double> exact(p.m * p.n);
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = p.bias[j];
      for (int64_t l = 0; l < p.k; ++l) sum += double(p.a[i * p.lda + l]) * p.b_KN[l * p.n + j];
      exact[i * p.n + j] = sum;
    }
  }
  reference::Matmul(p.a.data(), p.lda, p.m, p.b_KN.data(), p.k, p.n, c.data(), p.n, p.bias.data(),
                    false);
  ExpectClose(exact, c, 2e-5);
}

TEST(MatmulTest, AMultiplyAndAddRoundsOnceOnEveryIsa) {
  // 1 + 2^-23 + 2^-24 (1 - 2^-46): just below the middle of two floats. A sum that is first rounded
  // to double lands on the middle, and from there on the even neighbour above.
  const float c = 1 + 0x1p-23f;
  const std::vector<float> a = {1, (1 + 0x1p-23f) * 0x1p-12f}, b = {c, (1 - 0x1p-23f) * 0x1p-12f};
  ForEveryExec([&](const Exec& exec) {
    const Packed<float> packed = Pack(exec, b.data(), 2, 1);
    float sum;
    Matmul(exec, a.data(), 2, 1, packed, &sum, 1);
    EXPECT_EQ(sum, c);
  });
}

TEST(MatmulTest, ARowsBitsDoNotDependOnTheOtherRows) {
  const Problem p({64, 300, 200});
  ForEveryExec([&](const Exec& exec) {
    const Packed<float> packed = Pack(exec, p.b_KN.data(), p.k, p.n);
    std::vector<float> whole(p.m * p.n);
    Matmul(exec, p.a.data(), p.lda, p.m, packed, whole.data(), p.n);
    for (int64_t batch : {1, 2, 5, 8, 31}) {
      std::vector<float> parts(p.m * p.n);
      for (int64_t row = 0; row < p.m; row += batch) {
        Matmul(exec, p.a.data() + row * p.lda, p.lda, std::min(batch, p.m - row), packed,
               parts.data() + row * p.n, p.n);
      }
      ExpectSameBits(whole, parts);
    }
  });
}

TEST(MatmulTest, OfBf16AnyNumberOfRowsGivesTheReferencesBits) {
  Problem p({40, 801, 97});
  ClearLowerHalves(&p.b_KN);
  std::vector<float> expected(p.m * p.n);
  reference::Matmul(p.a.data(), p.lda, p.m, p.b_KN.data(), p.k, p.n, expected.data(), p.n, nullptr,
                    false);
  ForEveryExec([&](const Exec& exec) {
    const auto packed = Pack<uint32_t>(exec, p.b_KN.data(), p.k, p.n);
    for (int64_t rows = 1; rows <= p.m; ++rows) {
      std::vector<float> c(rows * p.n);
      Matmul(exec, p.a.data(), p.lda, rows, packed, c.data(), p.n);
      ExpectSameBits({expected.begin(), expected.begin() + rows * p.n}, c);
    }
  });
}

class MatmulGradWeightTest : public testing::TestWithParam<Shape> {};  // t, n, k
INSTANTIATE_TEST_SUITE_P(Shapes, MatmulGradWeightTest,
                         testing::Values(Shape{1, 1, 1}, Shape{5, 17, 33}, Shape{130, 13, 40},
                                         Shape{300, 48, 96}, Shape{257, 100, 7}, Shape{16, 500, 65},
                                         Shape{270, 30, 600}, Shape{64, 6, 256}, Shape{0, 3, 3}));

TEST_P(MatmulGradWeightTest, EveryExecGivesTheReferencesBits) {
  const auto [t, n, k] = GetParam();
  const int64_t ld_dy = n + 2, ld_x = k + 1;
  const auto dy = RandomFloats(t * ld_dy, 5), x = RandomFloats(t * ld_x, 6);
  const auto start = RandomFloats(n * k, 7);
  std::vector<float> expected = start;
  reference::MatmulGradWeight(dy.data(), ld_dy, x.data(), ld_x, t, n, k, expected.data());
  std::vector<double> exact = ToDouble(start);
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t r = 0; r < t; ++r) {
        exact[j * k + i] += double(dy[r * ld_dy + j]) * x[r * ld_x + i];
      }
    }
  }
  ExpectClose(exact, expected, 1e-5);
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> dw = start;
    MatmulGradWeight(exec, dy.data(), ld_dy, x.data(), ld_x, t, n, k, dw.data());
    ExpectSameBits(expected, dw);
    // Any cut into micro-batches goes on with the same chains.
    dw = start;
    for (int64_t row = 0; row < t; row += 37) {
      MatmulGradWeight(exec, dy.data() + row * ld_dy, ld_dy, x.data() + row * ld_x, ld_x,
                       std::min<int64_t>(37, t - row), n, k, dw.data());
    }
    ExpectSameBits(expected, dw);
  });
}

TEST(BiasGradTest, IsAChainOverRows) {
  const int64_t t = 37, n = 53, ld = 60;
  const auto dy = RandomFloats(n * ld, 8), start = RandomFloats(n, 9);
  std::vector<float> expected = start;
  for (int64_t i = 0; i < t; ++i) {
    for (int64_t j = 0; j < n; ++j) expected[j] += dy[j * ld + i];
  }
  ForEveryExec([&](const Exec& exec) {
    std::vector<float> db = start;
    BiasGrad(exec, dy.data(), ld, n, t, db.data());
    ExpectSameBits(expected, db);
  });
}

// The backward's two products in parts: rows packed and transposed by whoever has them.
TEST(PackRowsTest, OfSomeRowsAfterOthersMultipliesAsTheWhole) {
  const int64_t m = 21, k = 45, n = 70, ld = 75, stride = 64;
  const auto a = RandomFloats(k * m, 3), b = RandomFloats(k * ld, 4);
  std::vector<float> b_KN(k * n), a_MK(m * k), expected(m * n);
  for (int64_t i = 0; i < k; ++i) {
    std::copy_n(b.data() + i * ld, n, b_KN.data() + i * n);
    for (int64_t j = 0; j < m; ++j) a_MK[j * k + i] = a[i * m + j];
  }
  reference::Matmul(a_MK.data(), k, m, b_KN.data(), k, n, expected.data(), n, nullptr, false);
  ForEveryExec([&](const Exec& exec) {
    Buffer<float> panels(static_cast<size_t>(PackedSize(n, k)));
    std::vector<float> transposed(m * stride), c(m * n);
    for (const auto& [row, rows] : {std::pair<int64_t, int64_t>{17, 28}, {0, 17}}) {
      PackRows(exec, b.data() + row * ld, ld, rows, n, k, row, panels.data());
      TransposeRows(exec, a.data() + row * m, m, rows, m, transposed.data() + row, stride);
    }
    Matmul(exec, transposed.data(), stride, m, {.k = k, .n = n, .panels = panels.data()}, c.data(),
           n);
    ExpectSameBits(expected, c);
  });
}

}  // namespace
}  // namespace hone::kernels
