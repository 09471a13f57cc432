// The backward in three passes, each over tasks that write disjoint outputs: transposed copies of
// the pages in use; for each query its gradient (keys in order); for each page the gradients of its
// keys and values (spans, rows and heads in order). The weights (probabilities and gradients by
// scores) go from the second pass to the third where they are few enough to stay in a cache; else
// the third computes them anew. Dao, "FlashAttention-2", arXiv:2307.08691, 3.2.
#include <algorithm>
#include <vector>

#include "common/buffer.h"
#include "kernels/attention.h"
#include "kernels/attention_tasks.h"
#include "kernels/parallel.h"

namespace hone::kernels {
namespace {

// The distinct pages of a batch, numbered by slot, and who sees each.
struct PagesInUse {
  struct View {
    int64_t span, page_of_span;
  };
  std::vector<int32_t> page_of_slot;        // ascending
  std::vector<std::vector<int32_t>> slots;  // of each span's pages
  std::vector<std::vector<View>> views;     // of each slot, in order of spans
};

PagesInUse FindPages(const AttentionSpan* spans, int64_t num_spans) {
  PagesInUse used;
  used.slots.resize(num_spans);
  for (int64_t s = 0; s < num_spans; ++s) {
    const int64_t positions = spans[s].rows == 0 ? 0 : spans[s].position + spans[s].rows;
    used.slots[s].resize((positions + kPagePositions - 1) / kPagePositions);
    used.page_of_slot.insert(used.page_of_slot.end(), spans[s].pages,
                             spans[s].pages + used.slots[s].size());
  }
  auto& pages = used.page_of_slot;
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  used.views.resize(pages.size());
  for (int64_t s = 0; s < num_spans; ++s) {
    for (size_t i = 0; i < used.slots[s].size(); ++i) {
      const auto found = std::lower_bound(pages.begin(), pages.end(), spans[s].pages[i]);
      used.slots[s][i] = static_cast<int32_t>(found - pages.begin());
      used.views[used.slots[s][i]].push_back({s, static_cast<int64_t>(i)});
    }
  }
  return used;
}

// At most so many weights are kept, of each kind (16 MiB): beyond, it is faster to compute them.
constexpr int64_t kMostKept = int64_t{4} << 20;

// Where the weights of each span's queries by the keys of each of its pages lie, of one kv head;
// those of a head follow `head_size` floats behind the one before.
struct KeptWeights {
  std::vector<std::vector<int64_t>> pages;  // of each span: where the span's row 0 would stand
  int64_t head_size = 0;
};

// The first row of a span that sees a page of its.
int32_t FirstRow(const AttentionSpan& span, int64_t page_of_span) {
  return std::max(0, static_cast<int32_t>(page_of_span * kPagePositions) - span.position);
}

KeptWeights PlaceWeights(const AttentionSpan* spans, const PagesInUse& used, int64_t group) {
  KeptWeights kept;
  const int64_t row_size = group * kPagePositions;
  for (size_t s = 0; s < used.slots.size(); ++s) {
    auto& pages = kept.pages.emplace_back();
    for (size_t i = 0; i < used.slots[s].size(); ++i) {
      const int64_t first = FirstRow(spans[s], static_cast<int64_t>(i));
      pages.push_back(kept.head_size - first * row_size);
      kept.head_size += (spans[s].rows - first) * row_size;
    }
  }
  return kept;
}

// All that the passes share.
struct Backward {
  const Exec& exec;
  const AttentionKernels& kernels;
  const AttentionShape& shape;
  const AttentionSpan* spans;
  int64_t num_spans;
  const float* q;
  int64_t ld_q;
  const float *cache_k, *cache_v, *out;
  int64_t ld_out;
  const float *stats, *dout;
  int64_t ld_dout;
  PagesInUse used;
  Buffer<float>& keys_by_row;    // [slot][kv_head][16][head_dim]
  Buffer<float>& values_by_dim;  // [slot][kv_head][head_dim][16]
  Buffer<float>& delta;          // [t, heads]
  KeptWeights kept;
  Buffer<float>&p, &ds;  // empty: none are kept

  int64_t HeadPage() const { return kPagePositions * shape.head_dim; }
  int64_t PageStride() const { return shape.kv_heads * HeadPage(); }
  int64_t Group() const { return shape.heads / shape.kv_heads; }
  int64_t Stat(int64_t row, int64_t head) const { return row * shape.heads + head; }
  // Of row i of a span and a head, from what `kept` says of a page.
  int64_t KeptRow(int64_t i, int64_t head) const {
    const int64_t query = i * Group() + head % Group();
    return head / Group() * kept.head_size + query * kPagePositions;
  }
};

void TransposePages(Backward* b) {
  const auto slots = static_cast<int64_t>(b->used.page_of_slot.size());
  const auto transpose = HONE_ISA_KERNELS(b->exec.isa, kMatmul).transpose;
  b->keys_by_row.Reserve(slots * b->PageStride());
  b->values_by_dim.Reserve(slots * b->PageStride());
  ParallelFor(b->exec, slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      for (int64_t head = 0; head < b->shape.kv_heads; ++head) {
        const int64_t at = b->used.page_of_slot[slot] * b->PageStride() + head * b->HeadPage();
        const int64_t to = slot * b->PageStride() + head * b->HeadPage(), d = b->shape.head_dim;
        transpose(b->cache_k + at, kPagePositions, d, kPagePositions, b->keys_by_row.data() + to,
                  d);
        transpose(b->cache_v + at, d, kPagePositions, d, b->values_by_dim.data() + to,
                  kPagePositions);
      }
    }
  });
}

// dq and delta.
void QueryGradients(Backward* b, float* dq, int64_t ld_dq) {
  const int64_t d = b->shape.head_dim;
  thread_local std::vector<AttentionTask> tasks;  // kept from layer to layer for its memory
  ListTasks(b->exec, b->shape, b->spans, b->num_spans, /*share=*/false, &tasks);
  ForTasks(b->exec, tasks, b->shape.kv_heads, b->kernels.backward_queries,
           [&](const AttentionTask& task, int64_t kv_head, TileQueue* tiles) {
             const AttentionSpan& span = b->spans[task.first_span];
             const int64_t at = kv_head * b->HeadPage();
             const AttentionTile like = {.head_dim = d,
                                         .window = b->shape.window,
                                         .scale = ScoreScale(b->shape),
                                         .softcap = b->shape.softcap,
                                         .page_stride = b->PageStride(),
                                         .keys = b->cache_k + at,
                                         .keys_by_row = b->keys_by_row.data() + at,
                                         .values_by_dim = b->values_by_dim.data() + at,
                                         .p = b->p.data(),
                                         .ds = b->ds.data()};
             ForTiles(task, kv_head, b->Group(), like, tiles,
                      [&](AttentionTile& tile, int64_t s, int64_t i, int64_t head, int slot) {
                        const int64_t row = span.first_row + i;
                        tile.pages[slot] = span.pages;
                        tile.slots[slot] = b->used.slots[s].data();
                        tile.position[slot] = span.position + static_cast<int32_t>(i);
                        tile.q[slot] = b->q + row * b->ld_q + head * d;
                        tile.out[slot] = dq + row * ld_dq + head * d;
                        tile.forward_stats[slot] = b->stats + b->Stat(row, head) * 2;
                        tile.forward_out[slot] = b->out + row * b->ld_out + head * d;
                        tile.dout[slot] = b->dout + row * b->ld_dout + head * d;
                        tile.delta[slot] = b->delta.data() + b->Stat(row, head);
                        if (b->p.empty()) return;
                        tile.kept_pages[slot] = b->kept.pages[s].data();
                        tile.kept_row[slot] = b->KeptRow(i, head);
                      });
           });
}

// The gradients of one page's keys and values of one kv head.
void PageGradients(const Backward& b, int64_t slot, int64_t kv_head, float* grad_k, float* grad_v) {
  const int64_t d = b.shape.head_dim, head_part = kv_head * b.HeadPage();
  const int64_t page = b.used.page_of_slot[slot] * b.PageStride() + head_part;
  AttentionKeyBlock block = {
      .head_dim = d,
      .scale = ScoreScale(b.shape),
      .softcap = b.shape.softcap,
      .keys = b.cache_k + page,
      .values_by_dim = b.values_by_dim.data() + slot * b.PageStride() + head_part,
      .grad_k = grad_k + page,
      .grad_v = grad_v + page};
  const auto run = [&] {
    if (block.queries > 0) b.kernels.backward_keys(block);
    block.queries = 0;
  };
  for (const auto& [s, page_of_span] : b.used.views[slot]) {
    const AttentionSpan& span = b.spans[s];
    const auto first_key = static_cast<int32_t>(page_of_span * kPagePositions);
    for (int32_t i = FirstRow(span, page_of_span); i < span.rows; ++i) {
      const int32_t first_seen = FirstKey(b.shape.window, span.position + i) - first_key;
      if (first_seen >= kPagePositions) break;  // the window has left the page behind
      const int64_t row = span.first_row + i;
      for (int64_t head = kv_head * b.Group(); head < (kv_head + 1) * b.Group(); ++head) {
        if (block.queries == 0 && !b.p.empty()) {
          const int64_t at = b.kept.pages[s][page_of_span] + b.KeptRow(i, head);
          block.p = b.p.data() + at;
          block.ds = b.ds.data() + at;
        }
        const int n = block.queries++;
        block.first[n] = std::max(0, first_seen);
        block.visible[n] = std::min(kPagePositions, span.position + i - first_key + 1);
        block.q[n] = b.q + row * b.ld_q + head * d;
        block.dout[n] = b.dout + row * b.ld_dout + head * d;
        block.stats[n] = b.stats + b.Stat(row, head) * 2;
        block.delta[n] = b.delta[b.Stat(row, head)];
        if (block.queries == kKeyQueries) run();
      }
    }
    if (!b.p.empty()) run();  // the next span's weights lie elsewhere
  }
  run();
}

}  // namespace

void AttentionBackward(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
                       int64_t num_spans, const float* q, int64_t ld_q, const float* cache_k,
                       const float* cache_v, const float* out, int64_t ld_out, const float* stats,
                       const float* dout, int64_t ld_dout, float* dq, int64_t ld_dq, float* grad_k,
                       float* grad_v) {
  thread_local Buffer<float> keys_by_row, values_by_dim, delta, p, ds;  // kept from layer to layer
  Backward b = {.exec = exec,
                .kernels = HONE_ISA_KERNELS(exec.isa, kAttention),
                .shape = shape,
                .spans = spans,
                .num_spans = num_spans,
                .q = q,
                .ld_q = ld_q,
                .cache_k = cache_k,
                .cache_v = cache_v,
                .out = out,
                .ld_out = ld_out,
                .stats = stats,
                .dout = dout,
                .ld_dout = ld_dout,
                .used = FindPages(spans, num_spans),
                .keys_by_row = keys_by_row,
                .values_by_dim = values_by_dim,
                .delta = delta,
                .kept = {},
                .p = p,
                .ds = ds};
  if (shape.window == 0) b.kept = PlaceWeights(spans, b.used, b.Group());
  const int64_t weights = b.kept.head_size * shape.kv_heads;
  for (auto* buffer : {&p, &ds}) {
    buffer->Reserve(weights <= kMostKept ? static_cast<size_t>(weights) : 0);
  }
  int64_t t = 0;
  for (int64_t s = 0; s < num_spans; ++s) {
    t = std::max<int64_t>(t, spans[s].first_row + spans[s].rows);
  }
  b.delta.Reserve(t * shape.heads);
  TransposePages(&b);
  QueryGradients(&b, dq, ld_dq);
  const auto pages = static_cast<int64_t>(b.used.page_of_slot.size());
  const int64_t tasks = pages * shape.kv_heads;
  ParallelStrides(exec, tasks, [&](int64_t first, int64_t stride) {
    for (int64_t i = first; i < tasks; i += stride) {
      PageGradients(b, i / shape.kv_heads, i % shape.kv_heads, grad_k, grad_v);
    }
  });
}

}  // namespace hone::kernels
