// The forward, and what reads and writes pages. The tasks of a forward are (span, rows, kv head)
// triples that write disjoint outputs: who does which changes nothing.
#include "kernels/attention.h"

#include <algorithm>

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

}  // namespace

std::vector<RowTask> RowTasks(const AttentionShape& shape, const AttentionSpan* spans,
                              int64_t num_spans) {
  std::vector<RowTask> tasks;
  for (int64_t s = 0; s < num_spans; ++s) {
    for (int32_t row = 0; row < spans[s].rows; row += kTaskRows) {
      for (int64_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
        tasks.push_back({s, row, std::min(spans[s].rows, row + kTaskRows), kv_head});
      }
    }
  }
  return tasks;
}

void WriteKv(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
             int64_t num_spans, const float* k, const float* v, int64_t ld, float* cache_k,
             float* cache_v) {
  const int64_t d = shape.head_dim;
  ParallelFor(exec, num_spans, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      for (int32_t i = 0; i < spans[s].rows; ++i) {
        const int32_t position = spans[s].position + i, slot = position % kPagePositions;
        const int64_t row = (spans[s].first_row + i) * ld;
        for (int64_t head = 0; head < shape.kv_heads; ++head) {
          const int64_t at = HeadPage(shape, spans[s].pages[position / kPagePositions], head);
          const float* key = k + row + head * d;
          for (int64_t j = 0; j < d; ++j) cache_k[at + j * kPagePositions + slot] = key[j];
          std::copy_n(v + row + head * d, d, cache_v + at + slot * d);
        }
      }
    }
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
  const std::vector<RowTask> tasks = RowTasks(shape, spans, num_spans);
  ParallelStrided(exec, static_cast<int64_t>(tasks.size()), [&](int64_t index) {
    const RowTask& task = tasks[index];
    const AttentionSpan& span = spans[task.span];
    AttentionTile tile = {.head_dim = d,
                          .pages = span.pages,
                          .page_stride = shape.kv_heads * HeadPageSize(shape),
                          .keys = cache_k + task.kv_head * HeadPageSize(shape),
                          .values = cache_v + task.kv_head * HeadPageSize(shape),
                          .scratch = Scratch(TileScratch(d, span.position + task.end - 1))};
    ForTiles(task, group, &tile, kernels.forward, [&](int64_t i, int64_t head, int slot) {
      const int64_t row = span.first_row + i;
      tile.position[slot] = span.position + static_cast<int32_t>(i);
      tile.q[slot] = q + row * ld_q + head * d;
      tile.out[slot] = out + row * ld_out + head * d;
      tile.stats[slot] = stats == nullptr ? nullptr : stats + (row * shape.heads + head) * 2;
    });
  });
}

}  // namespace hone::kernels
