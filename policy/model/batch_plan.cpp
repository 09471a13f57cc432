#include "policy/model/batch_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "common/error.h"

namespace hone {
namespace {

void CheckSpan(const SequenceSpan& span, const Batch& batch, int32_t next_row,
               const ModelConfig& config) {
  if (span.first_row != next_row || span.rows < 0 || span.rows > batch.rows() - next_row) {
    throw RunError(fmt::format(
        "the spans of a batch must cover its {} rows in order: expected a span from row {}, "
        "found rows {} to {}",
        batch.rows(), next_row, span.first_row, int64_t{span.first_row} + span.rows));
  }
  const int64_t end = int64_t{span.position} + span.rows;
  if (span.position < 0 || end > config.max_position_embeddings) {
    throw RunError(fmt::format("a sequence reaches position {}, the model has {} ({})", end,
                               config.max_position_embeddings, config.positions_key));
  }
  const int32_t pages = PagesFor(end, batch.page_size);
  if (span.first_page < 0 ||
      int64_t{span.first_page} + pages > static_cast<int64_t>(batch.pages.size())) {
    throw RunError(
        fmt::format("a sequence of {} positions needs {} pages from entry {} of a list of {}", end,
                    pages, span.first_page, batch.pages.size()));
  }
}

void CheckPage(int32_t page, int32_t cache_pages) {
  if (page < 0 || page >= cache_pages) {
    throw RunError(fmt::format("page {} is not one of the cache's {}", page, cache_pages));
  }
}

}  // namespace

void CheckSize(const char* what, size_t expected, size_t found) {
  if (expected != found)
    throw RunError(fmt::format("{}: expected {} elements, found {}", what, expected, found));
}

void BatchPlan::Prepare(const Batch& batch, const ModelConfig& config, const KvCache& cache) {
  constexpr int32_t kBlock = kernels::kPagePositions;
  if (batch.page_size != cache.page_size()) {
    throw RunError(fmt::format("a batch of pages of {} positions, the cache's have {}",
                               batch.page_size, cache.page_size()));
  }
  const int32_t blocks_of_page = batch.page_size / kBlock;
  positions_T.clear();
  spans.clear();
  blocks.clear();
  copies.clear();
  used_blocks = 0;
  for (const int32_t token : batch.tokens_T) {
    if (token < 0 || token >= config.vocab_size) {
      throw RunError(
          fmt::format("token {} is not one of the model's {}", token, config.vocab_size));
    }
  }
  for (const SequenceSpan& span : batch.spans) {
    CheckSpan(span, batch, static_cast<int32_t>(positions_T.size()), config);
    for (int32_t i = 0; i < span.rows; ++i) positions_T.push_back(span.position + i);
    if (span.rows == 0) continue;
    const int32_t* pages = batch.pages.data() + span.first_page;
    for (int32_t i = 0; i < PagesFor(span.position + span.rows, batch.page_size); ++i)
      CheckPage(pages[i], cache.pages());
    for (int32_t i = 0; i < PagesFor(span.position + span.rows, kBlock); ++i) {
      blocks.push_back(pages[i / blocks_of_page] * blocks_of_page + i % blocks_of_page);
      used_blocks = std::max(used_blocks, blocks.back() + 1);
    }
    spans.push_back({.first_row = span.first_row, .rows = span.rows, .position = span.position});
  }
  if (static_cast<int32_t>(positions_T.size()) != batch.rows()) {
    throw RunError(fmt::format("the spans of a batch cover {} of its {} rows", positions_T.size(),
                               batch.rows()));
  }
  const int32_t* next = blocks.data();  // which moves no more
  for (kernels::AttentionSpan& span : spans) {
    span.pages = next;
    next += PagesFor(span.position + span.rows, kBlock);
  }
  for (const PageCopy& copy : batch.copies) {
    CheckPage(copy.source, cache.pages());
    CheckPage(copy.target, cache.pages());
    if (copy.slots < 0 || copy.slots > batch.page_size) {
      throw RunError(
          fmt::format("a page copy of {} slots; a page has {}", copy.slots, batch.page_size));
    }
    for (int32_t i = 0; i * kBlock < copy.slots; ++i) {
      const PageCopy& block =
          copies.emplace_back(PageCopy{.source = copy.source * blocks_of_page + i,
                                       .target = copy.target * blocks_of_page + i,
                                       .slots = std::min(kBlock, copy.slots - i * kBlock)});
      used_blocks = std::max({used_blocks, block.source + 1, block.target + 1});
    }
  }
}

int32_t FindComponents(const BatchPlan& plan, std::vector<int32_t>* component_of_span) {
  std::vector<int32_t> parent(static_cast<size_t>(plan.used_blocks));  // union-find over blocks
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int32_t block) {
    while (parent[block] != block) block = parent[block] = parent[parent[block]];
    return block;
  };
  for (const auto& span : plan.spans) {
    for (int32_t i = 1; i < PagesFor(span.position + span.rows, kernels::kPagePositions); ++i)
      parent[root(span.pages[i])] = root(span.pages[0]);
  }
  for (const PageCopy& copy : plan.copies) parent[root(copy.source)] = root(copy.target);
  std::vector<int32_t> number(parent.size(), -1);
  int32_t components = 0;
  component_of_span->clear();
  for (const auto& span : plan.spans) {
    int32_t& component = number[root(span.pages[0])];
    if (component < 0) component = components++;
    component_of_span->push_back(component);
  }
  return components;
}

}  // namespace hone
