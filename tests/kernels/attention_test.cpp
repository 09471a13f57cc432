#include "kernels/attention.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "every_exec.h"

namespace hone::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A cache and the spans of a batch. Slots that no position of the batch fills hold NaN.
struct Batch {
  AttentionShape shape;
  int64_t rows = 0, pages;
  std::vector<std::vector<int32_t>> page_lists;
  std::vector<AttentionSpan> spans;
  std::vector<float> q, k, v, cache_k, cache_v, dout;

  Batch(const AttentionShape& s, int64_t num_pages) : shape(s), pages(num_pages) {
    cache_k.assign(pages * PageSize(), kNan);
    cache_v = cache_k;
  }
  int64_t PageSize() const { return shape.kv_heads * shape.head_dim * kPagePositions; }
  int64_t LdQ() const { return shape.heads * shape.head_dim; }
  int64_t LdKv() const { return shape.kv_heads * shape.head_dim; }

  void AddSpan(int32_t span_rows, int32_t position, std::vector<int32_t> list) {
    page_lists.push_back(std::move(list));
    spans.push_back({static_cast<int32_t>(rows), span_rows, position, nullptr});
    rows += span_rows;
    for (size_t i = 0; i < spans.size(); ++i) spans[i].pages = page_lists[i].data();
  }
  // Random inputs for all rows; keys and values go into the cache.
  void Fill(uint32_t seed) {
    q = RandomFloats(rows * LdQ(), seed, 2);
    k = RandomFloats(rows * LdKv(), seed + 1, 2);
    v = RandomFloats(rows * LdKv(), seed + 2);
    dout = RandomFloats(rows * LdQ(), seed + 3);
    Write(Exec{});
  }
  void Write(const Exec& exec) {
    WriteKv(exec, shape, spans.data(), std::ssize(spans), k.data(), v.data(), LdKv(),
            cache_k.data(), cache_v.data());
  }
};

struct Forwarded {
  std::vector<float> out, stats;
};
struct Gradients {
  std::vector<float> dq, grad_k, grad_v;
};

Forwarded ReferenceForward(const Batch& b) {
  Forwarded f{std::vector<float>(b.rows * b.LdQ()), std::vector<float>(b.rows * b.shape.heads * 2)};
  reference::Attention(b.shape, b.spans.data(), std::ssize(b.spans), b.q.data(), b.LdQ(),
                       b.cache_k.data(), b.cache_v.data(), f.out.data(), b.LdQ(), f.stats.data());
  return f;
}
Forwarded Forward(const Exec& exec, const Batch& b) {
  Forwarded f{std::vector<float>(b.rows * b.LdQ()), std::vector<float>(b.rows * b.shape.heads * 2)};
  Attention(exec, b.shape, b.spans.data(), std::ssize(b.spans), b.q.data(), b.LdQ(),
            b.cache_k.data(), b.cache_v.data(), f.out.data(), b.LdQ(), f.stats.data());
  return f;
}
Gradients StartGradients(const Batch& b) {
  return {std::vector<float>(b.rows * b.LdQ()), RandomFloats(b.pages * b.PageSize(), 77),
          RandomFloats(b.pages * b.PageSize(), 78)};
}
Gradients ReferenceBackward(const Batch& b, const Forwarded& f) {
  Gradients g = StartGradients(b);
  reference::AttentionBackward(b.shape, b.spans.data(), std::ssize(b.spans), b.q.data(), b.LdQ(),
                               b.cache_k.data(), b.cache_v.data(), f.out.data(), b.LdQ(),
                               f.stats.data(), b.dout.data(), b.LdQ(), g.dq.data(), b.LdQ(),
                               g.grad_k.data(), g.grad_v.data());
  return g;
}
Gradients Backward(const Exec& exec, const Batch& b, const Forwarded& f) {
  Gradients g = StartGradients(b);
  AttentionBackward(exec, b.shape, b.spans.data(), std::ssize(b.spans), b.q.data(), b.LdQ(),
                    b.cache_k.data(), b.cache_v.data(), f.out.data(), b.LdQ(), f.stats.data(),
                    b.dout.data(), b.LdQ(), g.dq.data(), b.LdQ(), g.grad_k.data(), g.grad_v.data());
  return g;
}

const AttentionShape kShapes[] = {
    {1, 1, 16},
    {4, 2, 32},
    {6, 2, 64},
    {8, 1, 24},
    {3, 3, 7},
    {2, 2, 128},
    {10, 2, 80},
    // With a window (of one key, within a page, across pages), a scale of its own, a soft cap.
    {4, 2, 32, 1},
    {2, 2, 24, 5},
    {6, 2, 64, 16},
    {8, 1, 16, 37},
    {3, 3, 7, 500},
    {6, 2, 64, 500},
    {4, 2, 32, 0, 0.11f},
    {4, 1, 16, 0, 0, 1.5f},
    {10, 2, 80, 19, 0.25f, 3},
};

// A prompt and three samples that share its page, a long sequence, one token deep in another.
Batch MixedBatch(const AttentionShape& shape) {
  Batch b(shape, 24);
  b.AddSpan(16, 0, {5});
  b.AddSpan(3, 16, {5, 2});
  b.AddSpan(20, 16, {5, 9, 7});
  b.AddSpan(17, 16, {5, 1, 3});
  b.AddSpan(100, 0, {20, 11, 19, 12, 0, 13, 8});
  b.AddSpan(1, 100, {20, 11, 19, 12, 0, 13, 8});
  b.AddSpan(1, 0, {23});
  b.Fill(1);
  return b;
}

class AttentionTest : public testing::TestWithParam<AttentionShape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest, testing::ValuesIn(kShapes), [](const auto& test) {
  const AttentionShape& shape = test.param;
  std::string name = std::to_string(shape.heads) + "over" + std::to_string(shape.kv_heads) + "of" +
                     std::to_string(shape.head_dim);
  if (shape.window > 0) name += "window" + std::to_string(shape.window);
  if (shape.scale > 0) name += "scaled";
  if (shape.softcap > 0) name += "capped";
  return name;
});

TEST_P(AttentionTest, EveryExecGivesTheReferencesBits) {
  const Batch b = MixedBatch(GetParam());
  const Forwarded expected = ReferenceForward(b);
  const Gradients expected_grad = ReferenceBackward(b, expected);
  ForEveryExec([&](const Exec& exec) {
    const Forwarded f = Forward(exec, b);
    ExpectSameBits(expected.out, f.out);
    ExpectSameBits(expected.stats, f.stats);
    const Gradients g = Backward(exec, b, f);
    ExpectSameBits(expected_grad.dq, g.dq);
    ExpectSameBits(expected_grad.grad_k, g.grad_k);
    ExpectSameBits(expected_grad.grad_v, g.grad_v);
  });
}

// The same sequence of 130 tokens, prefilled in chunks, on other pages, beside others.
TEST_P(AttentionTest, ATokensBitsDoNotDependOnChunksPagesOrNeighbours) {
  const AttentionShape shape = GetParam();
  const int32_t n = 130;
  Batch whole(shape, 30);
  whole.AddSpan(n, 0, {0, 1, 2, 3, 4, 5, 6, 7, 8});
  whole.Fill(11);
  const std::vector<float> expected = ReferenceForward(whole).out;
  ForEveryExec([&](const Exec& exec) {
    for (int32_t chunk : {1, 7, 64, 130}) {
      Batch b(shape, 30);
      b.q = whole.q, b.k = whole.k, b.v = whole.v;
      std::vector<float> found;
      for (int32_t begin = 0; begin < n; begin += chunk) {
        // Each chunk is a batch of its own, with a stranger's token before it.
        Batch part(shape, 30);
        part.cache_k = b.cache_k, part.cache_v = b.cache_v;
        const int32_t rows = std::min(chunk, n - begin);
        part.AddSpan(1, 0, {29});
        part.AddSpan(rows, begin, {17, 3, 28, 9, 10, 0, 25, 4, 1});
        part.q = RandomFloats(part.LdQ(), 99);
        part.k = RandomFloats(part.LdKv(), 98);
        part.v = RandomFloats(part.LdKv(), 97);
        const auto append = [&](std::vector<float>& to, const std::vector<float>& from,
                                int64_t ld) {
          to.insert(to.end(), from.begin() + begin * ld, from.begin() + (begin + rows) * ld);
        };
        append(part.q, whole.q, part.LdQ());
        append(part.k, whole.k, part.LdKv());
        append(part.v, whole.v, part.LdKv());
        part.Write(exec);
        const Forwarded f = Forward(exec, part);
        found.insert(found.end(), f.out.begin() + part.LdQ(), f.out.end());
        b.cache_k = part.cache_k, b.cache_v = part.cache_v;
      }
      ExpectSameBits(expected, found);
    }
  });
}

// Attention and its gradients in double, from the rows of one sequence, by finite differences.
TEST_P(AttentionTest, MatchesAPlainComputationInDouble) {
  const AttentionShape shape = GetParam();
  const int64_t n = 19, d = shape.head_dim, group = shape.heads / shape.kv_heads;
  Batch b(shape, 2);
  b.AddSpan(n, 0, {1, 0});
  b.Fill(21);
  const int64_t q_size = n * b.LdQ(), kv_size = n * b.LdKv();
  std::vector<double> out(q_size);
  const auto loss = [&](const std::vector<double>& x) {  // q, k, v one after another
    const double *q = x.data(), *k = q + q_size, *v = k + kv_size;
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t h = 0; h < shape.heads; ++h) {
        const double* qi = q + i * b.LdQ() + h * d;
        std::vector<double> weight(i + 1);
        double total = 0;
        const int64_t window = shape.window == 0 ? n : shape.window;
        for (int64_t j = std::max<int64_t>(0, i - window + 1); j <= i; ++j) {
          double score = 0;
          for (int64_t e = 0; e < d; ++e) score += qi[e] * k[j * b.LdKv() + h / group * d + e];
          score *= shape.scale > 0 ? shape.scale : 1 / std::sqrt(double(d));
          if (shape.softcap > 0) score = shape.softcap * std::tanh(score / shape.softcap);
          total += weight[j] = std::exp(score);
        }
        for (int64_t e = 0; e < d; ++e) {
          double y = 0;
          for (int64_t j = 0; j <= i; ++j) {
            y += weight[j] / total * v[j * b.LdKv() + h / group * d + e];
          }
          out[i * b.LdQ() + h * d + e] = y;
          sum += y * b.dout[i * b.LdQ() + h * d + e];
        }
      }
    }
    return sum;
  };
  std::vector<double> x = ToDouble(b.q);
  x.insert(x.end(), b.k.begin(), b.k.end());
  x.insert(x.end(), b.v.begin(), b.v.end());
  loss(x);
  const Forwarded f = ReferenceForward(b);
  ExpectClose(out, f.out, 5e-6);

  std::vector<float> dq(q_size), grad_k(b.pages * b.PageSize()), grad_v = grad_k;
  reference::AttentionBackward(shape, b.spans.data(), 1, b.q.data(), b.LdQ(), b.cache_k.data(),
                               b.cache_v.data(), f.out.data(), b.LdQ(), f.stats.data(),
                               b.dout.data(), b.LdQ(), dq.data(), b.LdQ(), grad_k.data(),
                               grad_v.data());
  std::vector<float> found = dq, dk(kv_size), dv(kv_size);
  ReadKvGrad(Exec{}, shape, b.spans.data(), 1, grad_k.data(), grad_v.data(), dk.data(), dv.data(),
             b.LdKv());
  found.insert(found.end(), dk.begin(), dk.end());
  found.insert(found.end(), dv.begin(), dv.end());
  for (size_t i = 0; i < x.size(); i += 1 + x.size() / 150) {
    EXPECT_NEAR(found[i], NumericGradient(loss, x, i), 2e-5) << "element " << i;
  }
}

// Of any rows and heads, and in any order.
TEST_P(AttentionTest, KeysAndValuesWrittenPartByPartAreThoseWrittenAtOnce) {
  const Batch whole = MixedBatch(GetParam());
  const Batch empty(GetParam(), 24);
  Batch parts = whole;
  for (const Isa isa : AvailableIsas()) {
    for (const int64_t rows : {1, 5, 33, 158}) {
      parts.cache_k = empty.cache_k;
      parts.cache_v = empty.cache_v;
      for (int64_t row = (whole.rows - 1) / rows * rows; row >= 0; row -= rows) {
        for (int64_t head = 0; head < parts.shape.kv_heads; ++head) {
          const KvPart part = {row, std::min(rows, whole.rows - row), head, 1};
          WriteKeys(isa, parts.shape, parts.spans.data(), std::ssize(parts.spans), part,
                    parts.k.data(), parts.LdKv(), parts.cache_k.data());
          WriteValues(parts.shape, parts.spans.data(), std::ssize(parts.spans), part,
                      parts.v.data(), parts.LdKv(), parts.cache_v.data());
        }
      }
      ExpectSameBits(whole.cache_k, parts.cache_k);
      ExpectSameBits(whole.cache_v, parts.cache_v);
    }
  }
}

TEST(KvPageTest, CopyingAPageAndItsBackwardMoveTheFirstSlotsOnly) {
  const AttentionShape shape = {4, 2, 8};
  Batch b(shape, 3);
  b.AddSpan(16, 0, {0});
  b.Fill(31);
  CopyKvPage(shape, 0, 2, 5, b.cache_k.data(), b.cache_v.data());
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t i = 0; i < 8; ++i) {
      for (int64_t slot = 0; slot < 16; ++slot) {
        const int64_t key = head * 128 + i * 16 + slot, value = head * 128 + slot * 8 + i;
        if (slot < 5) {
          EXPECT_EQ(b.cache_k[2 * 256 + key], b.cache_k[key]);
          EXPECT_EQ(b.cache_v[2 * 256 + value], b.cache_v[value]);
        } else {
          EXPECT_TRUE(std::isnan(b.cache_k[2 * 256 + key]));
          EXPECT_TRUE(std::isnan(b.cache_v[2 * 256 + value]));
        }
      }
    }
  }
  const auto start = RandomFloats(3 * 256, 5);
  std::vector<float> grad_k = start, grad_v = start;
  CopyKvPageBackward(shape, 0, 2, 5, grad_k.data(), grad_v.data());
  for (int64_t i = 0; i < 256; ++i) {
    const bool moved = i % 128 / 8 < 5;
    for (const auto& grad : {grad_k, grad_v}) {
      EXPECT_EQ(grad[i], moved ? start[i] + start[512 + i] : start[i]);
      EXPECT_EQ(grad[512 + i], moved ? 0 : start[512 + i]);
    }
  }
}

}  // namespace
}  // namespace hone::kernels
