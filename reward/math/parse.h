// From the text of an answer to its tree.
#pragma once

#include <string>
#include <string_view>

#include "reward/math/expression.h"

namespace hone::math {

struct Answer {
  const Node* value = nullptr;  // kText when it is of no grammar
  std::string unit;             // what followed the number: "cm", "%", "°", "apples"; lower case
};

// LaTeX or plain. Never fails: what is of no grammar is a text. Over a limit (length, depth, steps)
// budget->spent is set. `alone` is how commas of a lone "1,22" are read: false: two elements; true:
// a decimal comma.
Answer Parse(std::string_view text, bool decimal_comma, Arena* arena, Budget* budget);

// Lower case, without styling, white space and the punctuation around it.
std::string PlainText(std::string_view text);

}  // namespace hone::math
