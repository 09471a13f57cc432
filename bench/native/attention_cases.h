// Caches and spans for the attention benchmark, and the same keys and values as tensors.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace hone::bench {

// Sequences of one length in a paged cache of random numbers.
struct PagedSequences {
  at::Tensor keys, values;     // flat, as kernels/attention.h lays them out
  std::vector<int32_t> pages;  // of all sequences, one after the other
  int32_t pages_each = 0;
  const int32_t* pages_of(int64_t sequence) const { return pages.data() + sequence * pages_each; }
};

inline PagedSequences MakePaged(const kernels::AttentionShape& shape, int64_t sequences,
                                int64_t length) {
  PagedSequences out;
  out.pages_each =
      static_cast<int32_t>((length + kernels::kPagePositions - 1) / kernels::kPagePositions);
  const int64_t pages = sequences * out.pages_each;
  const int64_t floats = pages * shape.kv_heads * shape.head_dim * kernels::kPagePositions;
  out.keys = at::randn({floats});
  out.values = at::randn({floats});
  for (int32_t page = 0; page < pages; ++page) out.pages.push_back(page);
  return out;
}

// A group as learner/packing.h lays it out: the prompt's rows once, then each completion's rows but
// the last, which share the prompt's pages. A prompt fills whole pages here.
struct GroupWork {
  int64_t groups = 8, completions = 8;
  int32_t prompt = 32, tokens = 64;
};

struct PackedGroups {
  std::vector<kernels::AttentionSpan> spans;
  std::vector<std::vector<int32_t>> pages;  // of each span; spans point into them
  int32_t num_pages = 0;
  int64_t rows = 0;
};

inline PackedGroups PackGroups(const GroupWork& work) {
  PackedGroups out;
  const int32_t shared = work.prompt / kernels::kPagePositions, rows = work.tokens - 1;
  const int32_t own = (rows + kernels::kPagePositions - 1) / kernels::kPagePositions;
  const auto add = [&](int32_t span_rows, int32_t position, std::vector<int32_t> pages) {
    out.pages.push_back(std::move(pages));
    out.spans.push_back({static_cast<int32_t>(out.rows), span_rows, position, nullptr});
    out.rows += span_rows;
  };
  for (int64_t g = 0; g < work.groups; ++g) {
    std::vector<int32_t> prompt;
    for (int32_t i = 0; i < shared; ++i) prompt.push_back(out.num_pages++);
    add(work.prompt, 0, prompt);
    for (int64_t c = 0; c < work.completions; ++c) {
      std::vector<int32_t> pages = prompt;
      for (int32_t i = 0; i < own; ++i) pages.push_back(out.num_pages++);
      add(rows, work.prompt, std::move(pages));
    }
  }
  for (size_t s = 0; s < out.spans.size(); ++s) out.spans[s].pages = out.pages[s].data();
  return out;
}

// Pairs of a query and a key it sees, over all spans.
inline double SeenPairs(const std::vector<kernels::AttentionSpan>& spans) {
  double pairs = 0;
  for (const kernels::AttentionSpan& span : spans) {
    for (int32_t i = 0; i < span.rows; ++i) pairs += span.position + i + 1;
  }
  return pairs;
}

}  // namespace hone::bench
