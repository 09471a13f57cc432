// Where a completion's answer is. Linear in the text; views into it, nothing is copied.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reward/options.h"
#include "reward/verify.h"

namespace hone {

enum class Extract {
  kAnswer,    // inside the last <answer>…</answer> behind the thought (reward/thought.h)
  kNone,      // the whole completion
  kLastLine,  // the last line that is not blank behind the thought
};

// The option `extract` = "answer" (default), "none" or "last_line".
Extract ReadExtract(OptionReader& reader);

// The answer without white space around it; nothing when the completion has none. Pairs of tags are
// found from left to right, each open tag with the first close tag after it.
std::optional<std::string_view> ExtractAnswer(std::string_view completion, Extract extract);

// The answer as ExtractAnswer finds it behind a thought.
std::string PlaceAnswer(std::string_view answer, Extract extract);

// Without the characters `ends` at both ends: ASCII white space unless others are named.
std::string_view Trim(std::string_view text, std::string_view ends = " \t\n\r\f\v");

// The text of a column that holds a string or a number. Nothing, and `error` says why, otherwise.
std::optional<std::string> ColumnText(const Json& columns, const std::string& column,
                                      std::string* error);

}  // namespace hone
