// Classes of characters as Hugging Face's tokenizers have them. Its parts know Unicode of different
// ages, so each class is measured there (tests/parity/unicode_tables.py) and kept as a table.
#pragma once

#include <cstdint>

namespace hone {

enum CharacterClass : uint16_t {
  kLetter = 1 << 0,          // \p{L} of patterns
  kNumber = 1 << 1,          // \p{N} of patterns
  kDigit = 1 << 2,           // what Digits sets apart
  kPunctuation = 1 << 3,     // what Punctuation sets apart
  kWordCharacter = 1 << 4,   // \w of Whitespace, and of added tokens with single_word
  kCombiningMark = 1 << 5,   // what StripAccents drops
  kNonspacingMark = 1 << 6,  // what BertNormalizer drops as an accent
  kControl = 1 << 7,         // what BertNormalizer drops as unclean
  kWhiteSpace = 1 << 8,      // White_Space
};

// By code point, 0x110000 entries: the classes it is in. Made at the first call; any thread.
const uint16_t* CharacterClasses();

inline bool IsIn(char32_t code_point, uint16_t classes) {
  return (CharacterClasses()[code_point] & classes) != 0;
}

// The lower case of one character by itself; U+0130 alone has two, of which this is the first.
char32_t LowerCase(char32_t code_point);

}  // namespace hone
