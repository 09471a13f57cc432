// How attention is cut into tasks: rows of one span and one kv head, whose queries pass in tiles.
#pragma once

#include <vector>

#include "kernels/attention.h"
#include "kernels/isa_kernels.h"

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

// Fills tiles with the task's queries, row by row and head by head, by fill(span, row of the span,
// head, slot of the tile), and runs each.
template <class Fill>
void ForTiles(const AttentionTask& task, int64_t kv_head, int64_t group, AttentionTile* tile,
              void (*run)(const AttentionTile&), const Fill& fill) {
  tile->queries = 0;
  tile->shared_pages = task.shared_pages;
  for (int64_t span = task.first_span; span < task.last_span; ++span) {
    for (int64_t row = task.begin; row < task.end; ++row) {
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        fill(span, row, head, tile->queries++);
        if (tile->queries == kQueryTile) {
          run(*tile);
          tile->queries = 0;
        }
      }
    }
  }
  if (tile->queries > 0) run(*tile);
}

}  // namespace hone::kernels
