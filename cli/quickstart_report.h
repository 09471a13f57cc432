// What `hone quickstart` shows when it is done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "reward/evaluate.h"

namespace hone {

// One evaluation of the held-out problems: what the report needs of it.
struct HeldOut {
  double pass_at_1 = 0, format = 0, length = 0;
  std::vector<std::string> prompts, completions;  // P
  std::vector<bool> passed;                       // P
};
HeldOut Summarize(const EvalResult& result, const Tokenizer& tokenizer);

// The table before/after, three traces side by side, and the next commands; to stdout.
void PrintQuickstart(const HeldOut& before, const HeldOut& after, double train_seconds,
                     const std::filesystem::path& output, const std::filesystem::path& model);

}  // namespace hone
