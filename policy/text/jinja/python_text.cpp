#include "policy/text/jinja/python_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "policy/text/jinja/special_casing.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

utf8proc_category_t Category(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

// Where the code point that ends before `end` begins.
size_t PreviousCodePoint(std::string_view text, size_t end) {
  do {
    --end;
  } while ((text[end] & 0xc0) == 0x80);
  return end;
}

template <class Drop>
std::string_view StripLeftWhile(std::string_view text, Drop drop) {
  size_t begin = 0;
  while (begin < text.size()) {
    size_t next = begin;
    if (!drop(NextCodePoint(text, &next))) break;
    begin = next;
  }
  return text.substr(begin);
}

template <class Drop>
std::string_view StripRightWhile(std::string_view text, Drop drop) {
  size_t end = text.size();
  while (end > 0) {
    const size_t begin = PreviousCodePoint(text, end);
    size_t at = begin;
    if (!drop(NextCodePoint(text, &at))) break;
    end = begin;
  }
  return text.substr(0, end);
}

auto IsOneOf(std::string_view letters) {
  return [letters](char32_t code_point) {
    for (size_t at = 0; at < letters.size();) {
      if (NextCodePoint(letters, &at) == code_point) return true;
    }
    return false;
  };
}

void AppendUpper(char32_t c, std::string* out) {
  if (const SpecialCasing* special = FindSpecialCasing(c)) {
    *out += special->upper;
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))), out);
  }
}
void AppendTitle(char32_t c, std::string* out) {
  if (const SpecialCasing* special = FindSpecialCasing(c)) {
    *out += special->title;
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))), out);
  }
}
// "İ" is the one letter that becomes two.
void AppendLower(char32_t c, std::string* out) {
  AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
  if (c == U'\u0130') AppendUtf8(U'\u0307', out);
}

template <class Map>
std::string MapCodePoints(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) map(NextCodePoint(text, &at), &out);
  return out;
}

bool IsLineBreak(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

bool IsValidUtf8(std::string_view bytes) {
  return IsAscii(bytes) || ReplaceInvalidUtf8(bytes) == bytes;
}

bool IsSpace(char32_t c) { return (c >= 0x1c && c <= 0x1f) || IsWhiteSpace(c); }

bool IsWordCharacter(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  const utf8proc_category_t category = Category(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) ||
         category == UTF8PROC_CATEGORY_PC;
}

bool IsLetter(char32_t c) {
  const utf8proc_category_t category = Category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsPrintable(char32_t c) {
  if (c == ' ') return true;
  const utf8proc_category_t category = Category(c);
  return category != UTF8PROC_CATEGORY_CN &&
         (category < UTF8PROC_CATEGORY_ZS || category > UTF8PROC_CATEGORY_CO);
}

std::string_view LeftStrip(std::string_view text) { return StripLeftWhile(text, IsSpace); }
std::string_view RightStrip(std::string_view text) { return StripRightWhile(text, IsSpace); }
std::string_view LeftStrip(std::string_view text, std::string_view letters) {
  return StripLeftWhile(text, IsOneOf(letters));
}
std::string_view RightStrip(std::string_view text, std::string_view letters) {
  return StripRightWhile(text, IsOneOf(letters));
}

std::string Upper(std::string_view text) { return MapCodePoints(text, AppendUpper); }
std::string Lower(std::string_view text) { return MapCodePoints(text, AppendLower); }
std::string Capitalize(std::string_view text) {
  bool first = true;
  return MapCodePoints(text, [&](char32_t c, std::string* out) {
    std::exchange(first, false) ? AppendTitle(c, out) : AppendLower(c, out);
  });
}
std::string TitleCase(std::string_view text) {
  bool in_word = false;
  return MapCodePoints(text, [&](char32_t c, std::string* out) {
    const bool goes_on = std::exchange(in_word, IsLetter(c));
    goes_on ? AppendLower(c, out) : AppendTitle(c, out);
  });
}

size_t CountCodePoints(Heap& heap, std::string_view text) {
  heap.Read(text.size());
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

size_t ByteOf(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) {
    ++at;
    while (at < text.size() && (text[at] & 0xc0) == 0x80) ++at;
  }
  return at;
}

size_t FindText(Heap& heap, std::string_view text, std::string_view wanted, size_t begin) {
  if (begin > text.size()) return kNone;
  if (wanted.empty()) return begin;
  const void* found =
      memmem(text.data() + begin, text.size() - begin, wanted.data(), wanted.size());
  const size_t at =
      found == nullptr ? kNone : static_cast<size_t>(static_cast<const char*>(found) - text.data());
  heap.Read((found == nullptr ? text.size() : at) - begin + wanted.size());
  return at;
}

size_t FindLastText(Heap& heap, std::string_view text, std::string_view wanted) {
  // Backwards there is no linear search at hand: the worst case counts, and before it is searched.
  heap.Step(text.size() / 64 * (wanted.size() / 64));
  const size_t found = text.rfind(wanted);
  heap.Read(text.size() - (found == kNone ? 0 : found));
  return found;
}

std::string ReplaceText(Heap& heap, std::string_view text, std::string_view from,
                        std::string_view to, int64_t limit) {
  std::string out;
  size_t at = 0;
  const auto append = [&](std::string_view part) {
    out += part;
    if (out.size() > kMaxHeapBytes) throw Failure("a replacement makes a text too large");
  };
  for (int64_t count = 0; limit < 0 || count < limit; ++count) {
    if (from.empty()) {  // before each code point, and at the end
      append(to);
      if (at == text.size()) return out;
      const size_t begin = at;
      NextCodePoint(text, &at);
      append(text.substr(begin, at - begin));
      continue;
    }
    const size_t found = FindText(heap, text, from, at);
    if (found == kNone) break;
    append(text.substr(at, found - at));
    append(to);
    at = found + from.size();
  }
  append(text.substr(at));
  return out;
}

namespace {
std::vector<std::string_view> SplitWords(Heap& heap, std::string_view text, int64_t limit) {
  heap.Read(text.size());
  std::vector<std::string_view> parts;
  for (std::string_view rest = LeftStrip(text); !rest.empty(); rest = LeftStrip(rest)) {
    heap.Step();
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.push_back(rest);
      break;
    }
    const std::string_view behind = StripLeftWhile(rest, [](char32_t c) { return !IsSpace(c); });
    parts.push_back(rest.substr(0, rest.size() - behind.size()));
    rest = behind;
  }
  return parts;
}

std::vector<std::string_view> SplitWordsFromRight(Heap& heap, std::string_view text,
                                                  int64_t limit) {
  heap.Read(text.size());
  std::vector<std::string_view> parts;
  for (std::string_view rest = RightStrip(text); !rest.empty(); rest = RightStrip(rest)) {
    heap.Step();
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.push_back(rest);
      break;
    }
    const std::string_view before = StripRightWhile(rest, [](char32_t c) { return !IsSpace(c); });
    parts.push_back(rest.substr(before.size()));
    rest = before;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}
}  // namespace

std::vector<std::string_view> Split(Heap& heap, std::string_view text,
                                    std::optional<std::string_view> separator, int64_t limit) {
  if (!separator) return SplitWords(heap, text, limit);
  if (separator->empty()) throw Failure("the separator of a split is empty");
  std::vector<std::string_view> parts;
  size_t at = 0;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t found = FindText(heap, text, *separator, at);
    if (found == kNone) break;
    parts.push_back(text.substr(at, found - at));
    at = found + separator->size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

std::vector<std::string_view> SplitFromRight(Heap& heap, std::string_view text,
                                             std::optional<std::string_view> separator,
                                             int64_t limit) {
  if (!separator) return SplitWordsFromRight(heap, text, limit);
  if (separator->empty()) throw Failure("the separator of a split is empty");
  std::vector<std::string_view> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t found = FindLastText(heap, text, *separator);
    if (found == kNone) break;
    parts.push_back(text.substr(found + separator->size()));
    text = text.substr(0, found);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitLines(Heap& heap, std::string_view text, bool keep_ends) {
  heap.Read(text.size());
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = NextCodePoint(text, &at);
    if (!IsLineBreak(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    heap.Step();
    lines.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace hone::jinja
