// Letters whose capital is more than one letter: "ß" becomes "SS".
#pragma once

namespace hone::jinja {

struct SpecialCasing {
  char32_t code_point;
  const char *upper, *title;  // UTF-8
};

// Null for all other letters.
const SpecialCasing* FindSpecialCasing(char32_t code_point);

}  // namespace hone::jinja
