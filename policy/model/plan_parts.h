// A batch cut into parts that threads take through all layers by themselves.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/model/batch_plan.h"

namespace hone {

// Consecutive spans of a plan, and their rows.
struct PlanPart {
  int64_t first_row = 0, rows = 0, first_span = 0, spans = 0;
};

// Cut anew at every decode step: its memory is kept.
struct PlanParts {
  std::vector<PlanPart> parts;
  std::vector<int32_t> writer_of_block;  // the part that writes it, or -1

  // Cuts the plan between spans into one part a thread, about equal in rows, none of which reads
  // what another writes. False, and no use, where there are no such parts of at least `least_rows`.
  bool Cut(const BatchPlan& plan, int threads, int64_t least_rows);
};

}  // namespace hone
