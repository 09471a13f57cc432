// What both backends derive from a batch before they run it.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "policy/backend.h"

namespace hone {

// Throws RunError unless an argument has the size that the others ask for.
void CheckSize(const char* what, size_t expected, size_t found);

// A batch as the kernels take it. They know blocks of kernels::kPagePositions positions: a page of
// page_size positions is the page_size / 16 blocks from block page * page_size / 16 on. Prepared at
// every decode step: its memory is kept from one batch to the next. Not to be copied: `spans` point
// into `blocks`.
struct BatchPlan {
  std::vector<int32_t> positions_T;
  std::vector<kernels::AttentionSpan> spans;  // without those of no rows; their pages are blocks
  std::vector<int32_t> blocks;                // of each span, those of its positions 0 … end
  std::vector<PageCopy> copies;               // of at most one block each
  int32_t used_blocks = 0;                    // the highest block number in use, plus 1

  // Throws RunError when the batch does not fit the model or the cache: spans that do not cover the
  // rows in order, unknown tokens, positions or pages out of range, another page size.
  void Prepare(const Batch& batch, const ModelConfig& config, const KvCache& cache);
};

// Which spans have to do with each other: the component of each span of the plan, numbered from 0
// in order of appearance. Two spans are of one component when they share a block or a copy joins
// theirs (a group: a prompt and its completions). Returns the number of components.
int32_t FindComponents(const BatchPlan& plan, std::vector<int32_t>* component_of_span);

}  // namespace hone
