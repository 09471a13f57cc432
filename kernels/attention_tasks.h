// How attention is cut into tasks: rows of one span and one kv head, whose queries pass in tiles.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/attention.h"
#include "kernels/isa_kernels.h"
#include "kernels/parallel.h"

namespace hone::kernels {

inline constexpr int32_t kTaskRows = 16;

// Rows whose queries pass in tiles together, for each kv head: rows [begin, end) of one span
// (counted from its first); or the only rows of several spans, side by side, that begin with the
// same pages: samples that decode behind one prompt.
struct AttentionTask {
  int64_t first_span, last_span;  // past the last
  int32_t begin, end;
  int32_t shared_pages;
};
// `share`: puts spans together, of which each thread should still get its part.
void ListTasks(const Exec& exec, const AttentionShape& shape, const AttentionSpan* spans,
               int64_t num_spans, bool share, std::vector<AttentionTask>* tasks);

// Runs a thread's tiles, each when the next is known.
class TileQueue {
 public:
  explicit TileQueue(void (*run)(const AttentionTile&)) : run_(run) {}

  // An empty tile to be filled and pushed; of the others, what `like` says.
  AttentionTile& New(const AttentionTile& like) { return tiles_[at_] = like; }
  void Push() {
    Run(&tiles_[at_]);
    at_ = 1 - at_;
    waiting_ = true;
  }
  void End() { Run(nullptr); }

 private:
  void Run(const AttentionTile* next) {
    if (!waiting_) return;
    AttentionTile& tile = tiles_[1 - at_];
    const int32_t last = *std::max_element(tile.position, tile.position + tile.queries);
    tile.score_stride = (last / kPagePositions + 1) * kPagePositions;
    tile.scratch = Scratch(kQueryTile * 2 * tile.score_stride);
    tile.next = next;
    run_(tile);
    waiting_ = false;
  }

  void (*const run_)(const AttentionTile&);
  AttentionTile tiles_[2];
  int at_ = 0;
  bool waiting_ = false;  // the other of them
};

// Fills tiles with the task's queries, row by row and head by head, by fill(tile, span, row of the
// span, head, slot of the tile).
template <class Fill>
void ForTiles(const AttentionTask& task, int64_t kv_head, int64_t group, AttentionTile like,
              TileQueue* tiles, const Fill& fill) {
  like.shared_pages = task.shared_pages;
  AttentionTile* tile = &tiles->New(like);
  for (int64_t span = task.first_span; span < task.last_span; ++span) {
    for (int64_t row = task.begin; row < task.end; ++row) {
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        if (tile->queries == kQueryTile) {
          tiles->Push();
          tile = &tiles->New(like);
        }
        fill(*tile, span, row, head, tile->queries++);
      }
    }
  }
  if (tile->queries > 0) tiles->Push();
}

// body(task, kv_head, tiles) over all tasks and heads, on all threads.
template <class Body>
void ForTasks(const Exec& exec, const std::vector<AttentionTask>& tasks, int64_t kv_heads,
              void (*run)(const AttentionTile&), const Body& body) {
  const int64_t count = static_cast<int64_t>(tasks.size()) * kv_heads;
  ParallelStrides(exec, count, [&, list = tasks.data()](int64_t first, int64_t stride) {
    TileQueue tiles(run);
    for (int64_t i = first; i < count; i += stride) {
      body(list[i / kv_heads], i % kv_heads, &tiles);
    }
    tiles.End();
  });
}

}  // namespace hone::kernels
