// Where the Unicode tables of Hugging Face's tokenizers differ in age from those of our libraries:
// their patterns know Unicode 16 (PCRE2 10.42: 14), their normal forms Unicode 9 (utf8proc 2.8:
// 15).
#pragma once

#include <string>
#include <string_view>

namespace hone {

// Ranges for a character class ("\x{1C89}-\x{1C89}…") of what is younger than PCRE2's tables in a
// general category ("L", "Lu") or in "Han". A newer PCRE2 has them itself; twice does no harm.
std::string UnicodeAdditions(std::string_view property);

// A mark or a composed character that their normal forms do not know yet: they neither move,
// compose nor decompose it.
bool IsTooYoungToNormalize(char32_t code_point);

}  // namespace hone
