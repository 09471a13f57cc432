// How attention is cut into tasks: rows of one span and one kv head, whose queries pass in tiles.
#pragma once

#include <vector>

#include "kernels/attention.h"
#include "kernels/isa_kernels.h"

namespace hone::kernels {

inline constexpr int32_t kTaskRows = 16;

// Rows [begin, end) of a span (counted from its first), all query heads of one kv head.
struct RowTask {
  int64_t span;
  int32_t begin, end;
  int64_t kv_head;
};
std::vector<RowTask> RowTasks(const AttentionShape& shape, const AttentionSpan* spans,
                              int64_t num_spans);

// Fills tiles with the task's queries, row by row and head by head, by fill(row, head, slot of the
// tile), and runs each.
template <class Fill>
void ForTiles(const RowTask& task, int64_t group, AttentionTile* tile,
              void (*run)(const AttentionTile&), const Fill& fill) {
  tile->queries = 0;
  for (int64_t i = task.begin; i < task.end; ++i) {
    for (int64_t head = task.kv_head * group; head < (task.kv_head + 1) * group; ++head) {
      fill(i, head, tile->queries++);
      if (tile->queries == kQueryTile) {
        run(*tile);
        tile->queries = 0;
      }
    }
  }
  if (tile->queries > 0) run(*tile);
}

}  // namespace hone::kernels
