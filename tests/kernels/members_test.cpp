// Kernels that all threads call together, one after another, give the bits of one thread's calls.
#include "common/buffer.h"
#include "every_exec.h"
#include "kernels/attention.h"
#include "kernels/embedding.h"
#include "kernels/gated_matmul.h"
#include "kernels/matmul.h"
#include "kernels/rmsnorm.h"

namespace hone::kernels {
namespace {

constexpr int64_t kHidden = 96, kFeedForward = 160, kHeads = 4, kKvHeads = 2, kHeadDim = 16;
constexpr int64_t kColumns = (kHeads + 2 * kKvHeads) * kHeadDim;
constexpr AttentionShape kShape = {kHeads, kKvHeads, kHeadDim};

struct Matrix : PackedMatrix {
  Buffer<float> memory;
  Matrix(int64_t outputs, int64_t inputs, uint32_t seed) {
    memory.Reserve(static_cast<size_t>(PackedSize(outputs, inputs)));
    const std::vector<float> w_NK = RandomFloats(static_cast<size_t>(outputs * inputs), seed);
    static_cast<PackedMatrix&>(*this) =
        PackTransposed({}, w_NK.data(), outputs, inputs, memory.data());
  }
};

// A layer without its rotation over some spans, several times: what one call writes, the next
// reads.
struct Layer {
  explicit Layer(int64_t rows)
      : x(RandomFloats(static_cast<size_t>(rows * kHidden), 9)),
        normed(x.size()),
        out(x.size()),
        qkv(static_cast<size_t>(rows * kColumns)),
        attended(static_cast<size_t>(rows * kHeads * kHeadDim)),
        gate_up(static_cast<size_t>(rows * 2 * kFeedForward)),
        act(static_cast<size_t>(rows * kFeedForward)),
        keys(static_cast<size_t>(8 * kKvHeads * kHeadDim * kPagePositions)),
        values(keys.size()) {}

  void Run(const Exec& exec, const std::vector<AttentionSpan>& spans, int64_t rows) {
    const std::vector<float> norm(kHidden, 1.25f);
    for (int round = 0; round < 5; ++round) {
      RmsNorm(exec, x.data(), norm.data(), 1e-6f, rows, kHidden, normed.data(), nullptr);
      MatmulThen(exec, normed.data(), kHidden, rows, qkv_w, qkv.data(), kColumns, nullptr, kHeadDim,
                 [&](const OutputPart& done) { WriteHeads(exec.isa, spans, done); });
      Attention(exec, kShape, spans.data(), std::ssize(spans), qkv.data(), kColumns, keys.data(),
                values.data(), attended.data(), kHeads * kHeadDim, nullptr);
      Matmul(exec, attended.data(), kHeads * kHeadDim, rows, o_w, x.data(), kHidden, nullptr,
             x.data());
      MatmulGated(exec, Gate::kSilu, x.data(), kHidden, rows, gate_w, up_w, gate_up.data(),
                  act.data());
      Matmul(exec, act.data(), kFeedForward, rows, down_w, out.data(), kHidden);
      Add(exec, x.data(), out.data(), rows * kHidden, x.data());
    }
  }

  void WriteHeads(Isa isa, const std::vector<AttentionSpan>& spans, const OutputPart& done) {
    for (int64_t column = done.column; column < done.column + done.columns; column += kHeadDim) {
      const int64_t head = column / kHeadDim - kHeads;
      if (head < 0) continue;
      const KvPart part = {done.row, done.rows, head % kKvHeads, 1};
      const int64_t first = (kHeads + head / kKvHeads * kKvHeads) * kHeadDim;
      if (head < kKvHeads) {
        WriteKeys(isa, kShape, spans.data(), std::ssize(spans), part, qkv.data() + first, kColumns,
                  keys.data());
      } else {
        WriteValues(kShape, spans.data(), std::ssize(spans), part, qkv.data() + first, kColumns,
                    values.data());
      }
    }
  }

  const Matrix qkv_w{kColumns, kHidden, 1}, o_w{kHidden, kHeads*kHeadDim, 2},
      gate_w{kFeedForward, kHidden, 3}, up_w{kFeedForward, kHidden, 4},
      down_w{kHidden, kFeedForward, 5};
  std::vector<float> x, normed, out, qkv, attended, gate_up, act, keys, values;
};

TEST(MembersTest, KernelsCalledByAllThreadsGiveTheBitsOfOne) {
  const std::vector<int32_t> pages = {3, 1, 7, 0, 2, 5};
  for (const int32_t rows : {1, 8, 40}) {
    const std::vector<AttentionSpan> spans = {{0, (rows + 1) / 2, 13, pages.data()},
                                              {(rows + 1) / 2, rows / 2, 2, pages.data() + 3}};
    Layer expected(rows);
    expected.Run({}, spans, rows);
    ForEveryExec([&](const Exec& exec) {
      Layer found(rows);
      CallAsMembers(exec, [&](const Exec& member) { found.Run(member, spans, rows); });
      ExpectSameBits(expected.x, found.x);
      ExpectSameBits(expected.keys, found.keys);
      ExpectSameBits(expected.values, found.values);
    });
  }
}

}  // namespace
}  // namespace hone::kernels
