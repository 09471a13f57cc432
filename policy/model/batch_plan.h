// What both backends derive from a batch before they run it.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "policy/backend.h"

namespace hone {

static_assert(kPageSize == kernels::kPagePositions);

// Number of pages that a sequence of `positions` positions fills.
inline int32_t PagesFor(int64_t positions) {
  return static_cast<int32_t>((positions + kPageSize - 1) / kPageSize);
}

// Throws RunError unless an argument has the size that the others ask for.
void CheckSize(const char* what, size_t expected, size_t found);

// Views into the batch it was prepared from: that one must stay as it is.
struct BatchPlan {
  std::vector<int32_t> positions_T;
  std::vector<kernels::AttentionSpan> spans;  // without those of no rows
  int32_t used_pages = 0;                     // the highest page number in use, plus 1

  // Throws RunError when the batch does not fit the model or the cache: spans that do not cover the
  // rows in order, unknown tokens, positions or pages out of range.
  void Prepare(const Batch& batch, const ModelConfig& config, int32_t cache_pages);
};

// Which spans have to do with each other: the component of each span of the plan, numbered from 0
// in order of appearance. Two spans are of one component when they share a page or a copy joins
// theirs (a group: a prompt and its completions). Returns the number of components.
int32_t FindComponents(const BatchPlan& plan, const Batch& batch,
                       std::vector<int32_t>* component_of_span);

}  // namespace hone
