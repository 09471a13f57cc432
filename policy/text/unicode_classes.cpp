#include "policy/text/unicode_classes.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

namespace hone {
namespace {

struct CodePoints {
  uint32_t first, last;
};

struct CaseShift {
  uint32_t first, last;
  int32_t distance;
};

#include "policy/text/unicode_tables.inc"

constexpr CodePoints kWhiteSpaces[] = {
    {0x9, 0xd},       {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};

std::vector<uint16_t> MakeClasses() {
  std::vector<uint16_t> classes(0x110000, 0);
  const auto add = [&](std::span<const CodePoints> members, CharacterClass name) {
    for (const CodePoints& range : members) {
      for (uint32_t code = range.first; code <= range.last; ++code) classes[code] |= name;
    }
  };
  add(kLetters, kLetter);
  add(kNumbers, kNumber);
  add(kDigits, kDigit);
  add(kPunctuationMarks, kPunctuation);
  add(kWordCharacters, kWordCharacter);
  add(kCombiningMarks, kCombiningMark);
  add(kNonspacingMarks, kNonspacingMark);
  add(kControls, kControl);
  add(kWhiteSpaces, kWhiteSpace);
  return classes;
}

}  // namespace

const uint16_t* CharacterClasses() {
  static const std::vector<uint16_t> classes = MakeClasses();
  return classes.data();
}

char32_t LowerCase(char32_t code_point) {
  if (code_point == 0x130) return 'i';
  const auto* at =
      std::partition_point(std::begin(kLowercase), std::end(kLowercase),
                           [&](const CaseShift& shift) { return shift.last < code_point; });
  if (at == std::end(kLowercase) || at->first > code_point) return code_point;
  return static_cast<char32_t>(static_cast<int32_t>(code_point) + at->distance);
}

}  // namespace hone
