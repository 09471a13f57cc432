#include "learner/packing.h"

namespace hone {
namespace {

int64_t CompletionRows(const PackedGroup& group, size_t sample) {
  return static_cast<int64_t>(group.completions[sample].size()) - 1;
}

// Adds one prompt and completions of it to a batch.
class BatchBuilder {
 public:
  bool empty() const { return packed_.targets.empty(); }
  int64_t rows() const { return packed_.batch.rows(); }

  void AddPrompt(int32_t group, std::span<const int32_t> prompt) {
    prompt_rows_ = static_cast<int32_t>(prompt.size());
    prompt_first_page_ = static_cast<int32_t>(packed_.batch.pages.size());
    NewPages(PagesFor(prompt_rows_, packed_.batch.page_size));
    AddSpan({group, -1}, prompt, 0, prompt_first_page_);
    prompt_last_row_ = packed_.batch.rows() - 1;
  }

  void AddCompletion(int32_t group, int32_t sample, std::span<const int32_t> tokens) {
    Batch& batch = packed_.batch;
    packed_.completions.push_back({group, sample, static_cast<int32_t>(packed_.targets.size())});
    const int32_t first_row = batch.rows();
    packed_.targets.push_back({prompt_last_row_, tokens[0]});
    for (size_t t = 1; t < tokens.size(); ++t) {
      packed_.targets.push_back({first_row + static_cast<int32_t>(t) - 1, tokens[t]});
    }
    const int32_t rows = static_cast<int32_t>(tokens.size()) - 1;
    if (rows == 0) return;
    const int32_t first_page = static_cast<int32_t>(batch.pages.size());
    const int32_t shared = prompt_rows_ / batch.page_size, slots = prompt_rows_ % batch.page_size;
    for (int32_t i = 0; i < shared; ++i) batch.pages.push_back(batch.pages[prompt_first_page_ + i]);
    NewPages(PagesFor(prompt_rows_ + rows, batch.page_size) - shared);
    if (slots > 0) {
      batch.copies.push_back(
          {batch.pages[prompt_first_page_ + shared], batch.pages[first_page + shared], slots});
    }
    AddSpan({group, sample}, tokens.first(rows), prompt_rows_, first_page);
  }

  PackedBatch Take() {
    PackedBatch done = std::move(packed_);
    packed_ = {};
    return done;
  }

 private:
  void NewPages(int32_t count) {
    for (int32_t i = 0; i < count; ++i) packed_.batch.pages.push_back(packed_.pages++);
  }
  void AddSpan(PackedSpan whose, std::span<const int32_t> tokens, int32_t position,
               int32_t first_page) {
    Batch& batch = packed_.batch;
    packed_.spans.push_back(whose);
    batch.spans.push_back({.first_row = batch.rows(),
                           .rows = static_cast<int32_t>(tokens.size()),
                           .position = position,
                           .first_page = first_page});
    batch.tokens_T.insert(batch.tokens_T.end(), tokens.begin(), tokens.end());
  }

  PackedBatch packed_;
  int32_t prompt_rows_ = 0, prompt_first_page_ = 0, prompt_last_row_ = 0;
};

}  // namespace

std::vector<PackedBatch> Pack(std::span<const PackedGroup> groups, std::span<const int32_t> use,
                              int64_t max_rows, int64_t max_group_rows) {
  std::vector<PackedBatch> batches;
  BatchBuilder builder;
  const auto flush = [&] {
    if (!builder.empty()) batches.push_back(builder.Take());
  };
  for (const int32_t g : use) {
    const PackedGroup& group = groups[g];
    const int64_t prompt_rows = static_cast<int64_t>(group.prompt.size());
    int64_t rows = 0;  // of all its completions
    std::vector<int32_t> samples;
    for (size_t s = 0; s < group.completions.size(); ++s) {
      if (group.completions[s].empty()) continue;
      samples.push_back(static_cast<int32_t>(s));
      rows += CompletionRows(group, s);
    }
    if (samples.empty()) continue;
    if (builder.rows() + prompt_rows + rows > max_rows) flush();
    builder.AddPrompt(g, group.prompt);
    const bool whole = prompt_rows + rows <= max_group_rows;
    int64_t taken = 0;  // completions since the prompt
    for (const int32_t s : samples) {
      if (!whole && taken > 0 && builder.rows() + CompletionRows(group, s) > max_rows) {
        flush();
        builder.AddPrompt(g, group.prompt);
        taken = 0;
      }
      builder.AddCompletion(g, s, group.completions[s]);
      ++taken;
    }
  }
  flush();
  return batches;
}

std::vector<ActivationRow> KnownRows(
    const PackedBatch& packed, std::span<const std::shared_ptr<const GroupActivations>> of_groups,
    const Hash128& fingerprint) {
  std::vector<ActivationRow> rows;
  for (size_t i = 0; i < packed.spans.size(); ++i) {
    const auto [group, sample] = packed.spans[i];
    const auto g = static_cast<size_t>(group);
    const GroupActivations* known = g < of_groups.size() ? of_groups[g].get() : nullptr;
    if (known == nullptr || known->fingerprint != fingerprint) return {};
    const auto& of_span = sample < 0 ? known->prompt : known->completions[sample];
    if (static_cast<int32_t>(of_span.size()) != packed.batch.spans[i].rows) return {};
    rows.insert(rows.end(), of_span.begin(), of_span.end());
  }
  return rows;
}

}  // namespace hone
