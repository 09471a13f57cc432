#include "policy/model/plan_parts.h"

#include <algorithm>

namespace hone {
namespace {

using kernels::AttentionSpan;
using kernels::kPagePositions;

// Into `threads` parts whose ends are nearest to equal shares of the rows. The largest part's rows.
int64_t CutRows(const BatchPlan& plan, int threads, std::vector<PlanPart>* parts) {
  const auto spans = static_cast<int64_t>(plan.spans.size());
  const auto rows = static_cast<int64_t>(plan.positions_T.size());
  int64_t span = 0, row = 0, largest = 0;
  parts->clear();
  for (int t = 0; t < threads; ++t) {
    PlanPart part{.first_row = row, .rows = 0, .first_span = span, .spans = 0};
    const int64_t end = rows * (t + 1) / threads;
    while (span < spans && row + plan.spans[span].rows / 2 < end) row += plan.spans[span++].rows;
    part.rows = row - part.first_row;
    part.spans = span - part.first_span;
    largest = std::max(largest, part.rows);
    parts->push_back(part);
  }
  return largest;
}

// body(part, block) over the blocks of each span, from that of its first key read or written on.
template <class Body>
void ForBlocks(const BatchPlan& plan, const std::vector<PlanPart>& parts, bool written,
               const Body& body) {
  for (size_t p = 0; p < parts.size(); ++p) {
    for (int64_t s = parts[p].first_span; s < parts[p].first_span + parts[p].spans; ++s) {
      const AttentionSpan& span = plan.spans[s];
      const int32_t end = PagesFor(span.position + span.rows, kPagePositions);
      for (int32_t i = written ? span.position / kPagePositions : 0; i < end; ++i) {
        body(static_cast<int32_t>(p), span.pages[i]);
      }
    }
  }
}

}  // namespace

bool PlanParts::Cut(const BatchPlan& plan, int threads, int64_t least_rows) {
  const auto rows = static_cast<int64_t>(plan.positions_T.size());
  if (threads == 1 || rows < threads * least_rows || !plan.copies.empty()) return false;
  const int64_t share = (rows + threads - 1) / threads;
  if (CutRows(plan, threads, &parts) > share + share / 8) return false;
  writer_of_block.assign(static_cast<size_t>(plan.used_blocks), -1);
  ForBlocks(plan, parts, /*written=*/true,
            [&](int32_t part, int32_t block) { writer_of_block[block] = part; });
  bool apart = true;  // also false where two parts write one block: the first reads the other's
  ForBlocks(plan, parts, /*written=*/false, [&](int32_t part, int32_t block) {
    const int32_t writer = writer_of_block[block];
    apart = apart && (writer < 0 || writer == part);
  });
  return apart;
}

}  // namespace hone
