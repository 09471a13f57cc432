// Strings as Python has them: sequences of code points, held as valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/jinja/heap.h"

namespace hone::jinja {

bool IsValidUtf8(std::string_view bytes);

// str.isspace: Unicode's white space and the four ASCII separators.
bool IsSpace(char32_t code_point);
// A letter, mark, digit or connector: \w, about.
bool IsWordCharacter(char32_t code_point);
bool IsLetter(char32_t code_point);
// What repr() shows as it is.
bool IsPrintable(char32_t code_point);

std::string_view LeftStrip(std::string_view text);
std::string_view RightStrip(std::string_view text);
// Of the code points in `letters`.
std::string_view LeftStrip(std::string_view text, std::string_view letters);
std::string_view RightStrip(std::string_view text, std::string_view letters);

// Case as Unicode maps it ("ß" to "SS"), but for a sigma at a word's end.
std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string TitleCase(std::string_view text);  // str.title

size_t CountCodePoints(Heap& heap, std::string_view text);
// The byte at which code point `index` begins, for an index of at most the count.
size_t ByteOf(std::string_view text, size_t index);

// In linear time. npos when there is none.
size_t FindText(Heap& heap, std::string_view text, std::string_view wanted, size_t begin = 0);
size_t FindLastText(Heap& heap, std::string_view text, std::string_view wanted);
// The first `limit` occurrences replaced; negative: all.
std::string ReplaceText(Heap& heap, std::string_view text, std::string_view from,
                        std::string_view to, int64_t limit);

// str.split and str.rsplit; without separator at runs of white space. limit negative: none.
std::vector<std::string_view> Split(Heap& heap, std::string_view text,
                                    std::optional<std::string_view> separator, int64_t limit);
std::vector<std::string_view> SplitFromRight(Heap& heap, std::string_view text,
                                             std::optional<std::string_view> separator,
                                             int64_t limit);
std::vector<std::string_view> SplitLines(Heap& heap, std::string_view text, bool keep_ends);

// & < > " ' as HTML has them.
std::string EscapeHtml(std::string_view text);

}  // namespace hone::jinja
