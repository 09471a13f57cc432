// The forward, and what reads and writes pages. The tasks of a forward are (span, rows, kv head)
// triples that write disjoint outputs: who does which changes nothing.
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention_tasks.h"
#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {
namespace {

int64_t HeadPageSize(const AttentionShape& shape) { return kPagePositions * shape.head_dim; }

// Start of a head's part of a page.
int64_t HeadPage(const AttentionShape& shape, int32_t page, int64_t kv_head) {
  return (page * shape.kv_heads + kv_head) * HeadPageSize(shape);
}

// Pages that the sequences of two spans have in common from their first on, of those (at most
// `limit`) that the spans' only rows see whole.
int32_t CommonPages(const AttentionSpan& a, const AttentionSpan& b, int32_t limit) {
  const int32_t whole = (std::min(a.position, b.position) + 1) / kPagePositions;
  limit = std::min(limit, whole);
  int32_t common = 0;
  while (common < limit && a.pages[common] == b.pages[common]) ++common;
  return common;
}

// body(page, slot, row, rows) over the part's rows, those that lie in one page together.
template <class Body>
void ForPageRows(const AttentionSpan* spans, int64_t num_spans, const KvPart& part,
                 const Body& body) {
  const auto end_row = [](const AttentionSpan& span) {
    return int64_t{span.first_row} + span.rows;
  };
  const AttentionSpan* span = std::partition_point(
      spans, spans + num_spans, [&](const AttentionSpan& s) { return end_row(s) <= part.row; });
  for (int64_t row = part.row, n; row < part.row + part.rows; row += n) {
    while (end_row(*span) <= row) ++span;
    const auto position = static_cast<int32_t>(span->position + row - span->first_row);
    const int32_t slot = position % kPagePositions;
    n = std::min<int64_t>(kPagePositions - slot,
                          std::min(end_row(*span), part.row + part.rows) - row);
    body(span->pages[position / kPagePositions], slot, row, n);
  }
}

}  // namespace

float ScoreScale(const AttentionShape& shape) {
  return shape.scale > 0 ? shape.scale : 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
}

void ListTasks(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
               int64_t num_spans, bool share, std::vector<AttentionTask>* tasks) {
  tasks->clear();
  const int64_t most =
      share ? std::clamp<int64_t>(num_spans * shape.kv_heads / Threads(exec), 1, kTaskRows) : 1;
  for (int64_t s = 0; s < num_spans; ++s) {
    if (spans[s].rows == 1) {
      int64_t last = s + 1;
      int32_t shared = INT32_MAX;
      for (; last < num_spans && last - s < most && spans[last].rows == 1; ++last) {
        const int32_t common = CommonPages(spans[s], spans[last], shared);
        if (common == 0 || spans[last].pages == spans[last - 1].pages) break;
        shared = common;
      }
      tasks->push_back({s, last, 0, 1, last == s + 1 ? 0 : shared});
      s = last - 1;
      continue;
    }
    for (int32_t row = 0; row < spans[s].rows; row += kTaskRows) {
      tasks->push_back({s, s + 1, row, std::min(spans[s].rows, row + kTaskRows), 0});
    }
  }
}

void WriteKeys(Isa isa, const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
               const KvPart& part, const float* kv, int64_t ld, float* cache_k) {
  const auto transpose = HONE_ISA_KERNELS(isa, kMatmul).transpose;
  const int64_t d = shape.head_dim;
  ForPageRows(spans, num_spans, part, [&](int32_t page, int32_t slot, int64_t row, int64_t rows) {
    for (int64_t head = part.head; head < part.head + part.heads; ++head) {
      const float* key = kv + row * ld + head * d;
      float* column = cache_k + HeadPage(shape, page, head) + slot;
      if (rows == 1) {
        for (int64_t j = 0; j < d; ++j) column[j * kPagePositions] = key[j];
      } else {
        transpose(key, ld, rows, d, column, kPagePositions);
      }
    }
  });
}

void WriteValues(const AttentionShape& shape, const AttentionSpan* spans, int64_t num_spans,
                 const KvPart& part, const float* kv, int64_t ld, float* cache_v) {
  const int64_t d = shape.head_dim;
  ForPageRows(spans, num_spans, part, [&](int32_t page, int32_t slot, int64_t row, int64_t rows) {
    for (int64_t head = part.head; head < part.head + part.heads; ++head) {
      float* values = cache_v + HeadPage(shape, page, head) + slot * d;
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(kv + (row + r) * ld + head * d, d, values + r * d);
      }
    }
  });
}

void WriteKv(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
             int64_t num_spans, const float* k, const float* v, int64_t ld, float* cache_k,
             float* cache_v) {
  ParallelFor(exec, num_spans, 1, [&](int64_t begin, int64_t end) {
    const AttentionSpan& last = spans[end - 1];
    const int64_t row = spans[begin].first_row;
    const KvPart part = {row, last.first_row + last.rows - row, 0, shape.kv_heads};
    WriteKeys(exec.isa, shape, spans + begin, end - begin, part, k, ld, cache_k);
    WriteValues(shape, spans + begin, end - begin, part, v, ld, cache_v);
  });
}

void CopyKvPage(const AttentionShape& shape, int32_t source, int32_t target, int32_t slots,
                float* cache_k, float* cache_v) {
  const int64_t d = shape.head_dim;
  for (int64_t head = 0; head < shape.kv_heads; ++head) {
    const int64_t from = HeadPage(shape, source, head), to = HeadPage(shape, target, head);
    for (int64_t j = 0; j < d; ++j) {
      std::copy_n(cache_k + from + j * kPagePositions, slots, cache_k + to + j * kPagePositions);
    }
    std::copy_n(cache_v + from, slots * d, cache_v + to);
  }
}

void CopyKvPageBackward(const AttentionShape& shape, int32_t source, int32_t target, int32_t slots,
                        float* grad_k, float* grad_v) {
  for (int64_t head = 0; head < shape.kv_heads; ++head) {
    const int64_t to = HeadPage(shape, source, head), from = HeadPage(shape, target, head);
    for (float* grad : {grad_k, grad_v}) {
      for (int64_t i = 0; i < slots * shape.head_dim; ++i) {
        grad[to + i] += grad[from + i];
        grad[from + i] = 0;
      }
    }
  }
}

void ReadKvGrad(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
                int64_t num_spans, const float* grad_k, const float* grad_v, float* dk, float* dv,
                int64_t ld) {
  const int64_t d = shape.head_dim;
  ParallelFor(exec, num_spans, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      for (int32_t i = 0; i < spans[s].rows; ++i) {
        const int32_t position = spans[s].position + i, slot = position % kPagePositions;
        const int64_t row = (spans[s].first_row + i) * ld;
        for (int64_t head = 0; head < shape.kv_heads; ++head) {
          const int64_t at =
              HeadPage(shape, spans[s].pages[position / kPagePositions], head) + slot * d;
          std::copy_n(grad_k + at, d, dk + row + head * d);
          std::copy_n(grad_v + at, d, dv + row + head * d);
        }
      }
    }
  });
}

void Attention(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
               int64_t num_spans, const float* q, int64_t ld_q, const float* cache_k,
               const float* cache_v, float* out, int64_t ld_out, float* stats) {
  const AttentionKernels& kernels = HONE_ISA_KERNELS(exec.isa, kAttention);
  const int64_t d = shape.head_dim, group = shape.heads / shape.kv_heads;
  thread_local std::vector<AttentionTask> tasks;  // kept from layer to layer for its memory
  ListTasks(exec, shape, spans, num_spans, /*share=*/shape.window == 0, &tasks);
  ForTasks(exec, tasks, shape.kv_heads, kernels.forward,
           [&](const AttentionTask& task, int64_t kv_head, TileQueue* tiles) {
             const AttentionTile like = {.head_dim = d,
                                         .window = shape.window,
                                         .scale = ScoreScale(shape),
                                         .softcap = shape.softcap,
                                         .page_stride = shape.kv_heads * HeadPageSize(shape),
                                         .keys = cache_k + kv_head * HeadPageSize(shape),
                                         .values = cache_v + kv_head * HeadPageSize(shape)};
             ForTiles(task, kv_head, group, like, tiles,
                      [&](AttentionTile& tile, int64_t s, int64_t i, int64_t head, int slot) {
                        const int64_t row = spans[s].first_row + i;
                        tile.pages[slot] = spans[s].pages;
                        tile.position[slot] = spans[s].position + static_cast<int32_t>(i);
                        tile.q[slot] = q + row * ld_q + head * d;
                        tile.out[slot] = out + row * ld_out + head * d;
                        tile.stats[slot] =
                            stats == nullptr ? nullptr : stats + (row * shape.heads + head) * 2;
                      });
           });
}

}  // namespace hone::kernels
