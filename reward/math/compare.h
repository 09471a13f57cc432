// Whether two answers are the same.
#pragma once

#include <string>
#include <string_view>

#include "reward/math/scalar.h"

namespace hone::math {

struct CompareOptions {
  int decimals = 6;   // Comparison::decimals
  bool units = true;  // units that are both known and differ make answers differ
};

// kUnknown: over a limit, or undefined on one side. `how` (may be null) gets one phrase of how it
// was decided, for people. A pure function; its cost is bounded by Budget and kMaxAnswerLength.
Tri SameAnswer(std::string_view gold, std::string_view found, const CompareOptions& options,
               std::string* how);

// The letter, A to J, of a choice as people write it: "C", "(C)", "C.", "\\text{(C)}", "C) 12",
// "(C) 12".
// '\0': none. Small letters count in parentheses; with `any_case` also "c", "c." and "c)".
char ChoiceOf(std::string_view text, bool any_case = false);

}  // namespace hone::math
