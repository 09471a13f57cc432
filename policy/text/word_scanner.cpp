#include "policy/text/word_scanner.h"

#include <cstdint>

#include "policy/text/unicode_classes.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

constexpr uint16_t kNoSymbol = kLetter | kNumber | kWhiteSpace;  // [\s\p{L}\p{N}]

// A character and where the next begins; classes 0 and c 0 at the end of the text.
struct Character {
  char32_t c = 0;
  uint16_t classes = 0;
  size_t end = 0;
};

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text), classes_(CharacterClasses()) {}

  Character At(size_t at) const {
    Character character;
    character.end = at;
    if (at >= text_.size()) return character;
    character.c = NextCodePoint(text_, &character.end);
    character.classes = classes_[character.c];
    return character;
  }

  // The end of the run from `at` of characters that are in `classes`.
  size_t RunEnd(size_t at, uint16_t classes) const {
    while (at < text_.size()) {
      size_t next = at;
      if ((classes_[NextCodePoint(text_, &next)] & classes) == 0) break;
      at = next;
    }
    return at;
  }

  size_t SymbolsEnd(size_t at) const {
    while (at < text_.size()) {
      size_t next = at;
      if ((classes_[NextCodePoint(text_, &next)] & kNoSymbol) != 0) break;
      at = next;
    }
    return at;
  }

  bool IsSymbol(const Character& character, size_t at) const {
    return at < text_.size() && (character.classes & kNoSymbol) == 0;
  }

  size_t LineBreaksEnd(size_t at) const {
    while (at < text_.size() && (text_[at] == '\r' || text_[at] == '\n')) ++at;
    return at;
  }

  // After an apostrophe at `at`: the end of 's, 't, 're, 've, 'm, 'll or 'd, or `at`.
  size_t ContractionEnd(size_t at, bool any_case) const {
    const auto letter = [&](size_t i) {
      const char c = i < text_.size() ? text_[i] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    };
    const char first = letter(at + 1), second = letter(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
    if (first == 'l' && second == 'l') return at + 3;
    if (any_case && text_.substr(at + 1).starts_with("\u017F")) return at + 3;  // a long s
    return at;
  }

  // A run of white space: \s+(?!\S)|\s+, and before it, where `breaks` says so, \s*[\r\n]+.
  size_t SpacesEnd(size_t at, bool breaks) const {
    size_t end = at, last = at, after_break = at;
    while (end < text_.size()) {
      size_t next = end;
      const char32_t c = NextCodePoint(text_, &next);
      if ((classes_[c] & kWhiteSpace) == 0) break;
      if (c == '\r' || c == '\n') after_break = next;
      last = end;
      end = next;
    }
    if (breaks && after_break > at) return after_break;
    if (end == text_.size() || last == at) return end;
    return last;  // the last space goes with the word after it
  }

 private:
  std::string_view text_;
  const uint16_t* classes_;
};

size_t Gpt2WordEnd(std::string_view text, size_t begin) {
  const Cursor cursor(text);
  const Character first = cursor.At(begin);
  if (first.c == '\'') {
    const size_t end = cursor.ContractionEnd(begin, /*any_case=*/false);
    if (end > begin) return end;
  }
  const size_t word = first.c == ' ' ? first.end : begin;
  const Character lead = first.c == ' ' ? cursor.At(word) : first;
  if ((lead.classes & kLetter) != 0) return cursor.RunEnd(lead.end, kLetter);
  if ((lead.classes & kNumber) != 0) return cursor.RunEnd(lead.end, kNumber);
  if (cursor.IsSymbol(lead, word)) return cursor.SymbolsEnd(lead.end);
  return cursor.SpacesEnd(begin, /*breaks=*/false);
}

size_t Llama3WordEnd(std::string_view text, size_t begin, int most_numbers) {
  const Cursor cursor(text);
  const Character first = cursor.At(begin);
  if (first.c == '\'') {
    const size_t end = cursor.ContractionEnd(begin, /*any_case=*/true);
    if (end > begin) return end;
  }
  if ((first.classes & kLetter) != 0) return cursor.RunEnd(first.end, kLetter);
  if ((first.classes & kNumber) != 0) {
    size_t end = first.end;
    for (int numbers = 1; numbers < most_numbers; ++numbers) {
      const Character next = cursor.At(end);
      if ((next.classes & kNumber) == 0) break;
      end = next.end;
    }
    return end;
  }
  if (first.c != '\r' && first.c != '\n') {
    const Character second = cursor.At(first.end);
    if ((second.classes & kLetter) != 0) return cursor.RunEnd(second.end, kLetter);
    if (first.c == ' ' && cursor.IsSymbol(second, first.end)) {
      return cursor.LineBreaksEnd(cursor.SymbolsEnd(second.end));
    }
  }
  if (cursor.IsSymbol(first, begin)) return cursor.LineBreaksEnd(cursor.SymbolsEnd(first.end));
  return cursor.SpacesEnd(begin, /*breaks=*/true);
}

}  // namespace

std::optional<WordScanner> WordScanner::For(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return WordScanner(0);
  if (pattern == kQwen2Pattern) return WordScanner(1);
  if (pattern == kLlama3Pattern) return WordScanner(3);
  return std::nullopt;
}

size_t WordScanner::WordEnd(std::string_view text, size_t begin) const {
  return most_numbers_ == 0 ? Gpt2WordEnd(text, begin) : Llama3WordEnd(text, begin, most_numbers_);
}

}  // namespace hone
