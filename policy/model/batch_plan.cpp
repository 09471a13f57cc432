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
    throw RunError(
        fmt::format("a sequence reaches position {}, the model has {} (max_position_embeddings)",
                    end, config.max_position_embeddings));
  }
  if (span.first_page < 0 ||
      int64_t{span.first_page} + PagesFor(end) > static_cast<int64_t>(batch.pages.size())) {
    throw RunError(
        fmt::format("a sequence of {} positions needs {} pages from entry {} of a list of {}", end,
                    PagesFor(end), span.first_page, batch.pages.size()));
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

void BatchPlan::Prepare(const Batch& batch, const ModelConfig& config, int32_t cache_pages) {
  positions_T.clear();
  spans.clear();
  used_pages = 0;
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
    for (int32_t i = 0; i < PagesFor(span.position + span.rows); ++i) {
      CheckPage(pages[i], cache_pages);
      used_pages = std::max(used_pages, pages[i] + 1);
    }
    spans.push_back({.first_row = span.first_row,
                     .rows = span.rows,
                     .position = span.position,
                     .pages = pages});
  }
  if (static_cast<int32_t>(positions_T.size()) != batch.rows()) {
    throw RunError(fmt::format("the spans of a batch cover {} of its {} rows", positions_T.size(),
                               batch.rows()));
  }
  for (const PageCopy& copy : batch.copies) {
    CheckPage(copy.source, cache_pages);
    CheckPage(copy.target, cache_pages);
    if (copy.slots < 0 || copy.slots > kPageSize) {
      throw RunError(fmt::format("a page copy of {} slots; a page has {}", copy.slots, kPageSize));
    }
    used_pages = std::max({used_pages, copy.source + 1, copy.target + 1});
  }
}

int32_t FindComponents(const BatchPlan& plan, const Batch& batch,
                       std::vector<int32_t>* component_of_span) {
  std::vector<int32_t> parent(static_cast<size_t>(plan.used_pages));  // union-find over pages
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int32_t page) {
    while (parent[page] != page) page = parent[page] = parent[parent[page]];
    return page;
  };
  for (const auto& span : plan.spans) {
    for (int32_t i = 1; i < PagesFor(span.position + span.rows); ++i)
      parent[root(span.pages[i])] = root(span.pages[0]);
  }
  for (const PageCopy& copy : batch.copies) parent[root(copy.source)] = root(copy.target);
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
