#include "policy/text/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "policy/text/unicode_additions.h"

namespace hone {
namespace {

// Bytes at `at` that begin a well-formed sequence (Unicode, table 3-7): how many are right, and
// whether they are the whole of it.
struct Sequence {
  size_t length;
  bool whole;
};

Sequence SequenceAt(std::string_view bytes, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte has a narrower range where overlong forms, surrogates or too large values loom.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i) {
    if (at + i >= bytes.size()) return {i, false};
    const uint8_t next = byte(at + i);
    if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xBF)) return {i, false};
  }
  return {length, true};
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

// Characters that no normal form C changes, whatever of this kind stands beside them.
bool IsStableInC(char32_t c) {
  return c < 0x300 || (c >= 0x400 && c <= 0x482) || (c >= 0x2010 && c <= 0x2027) ||
         (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA) ||
         (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0x1F300 && c <= 0x1FAFF);
}

bool IsNormal(std::string_view text, NormalForm form) {
  if (IsAscii(text)) return true;
  if (form != NormalForm::kC) return false;
  for (size_t at = 0; at < text.size();) {
    if (!IsStableInC(NextCodePoint(text, &at))) return false;
  }
  return true;
}

utf8proc_option_t OptionsOf(NormalForm form) {
  const bool compat = form == NormalForm::kKC || form == NormalForm::kKD;
  const bool compose = form == NormalForm::kC || form == NormalForm::kKC;
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (compat ? UTF8PROC_COMPAT : 0) |
                                        (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE));
}

int CombiningClass(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// Canonical ordering: each run of marks by combining class. utf8proc's own takes the square of a
// run's length.
void OrderMarks(std::vector<utf8proc_int32_t>* codes) {
  const auto is_mark = [](utf8proc_int32_t code) { return CombiningClass(code) != 0; };
  for (auto begin = codes->begin(); begin != codes->end();) {
    begin = std::find_if(begin, codes->end(), is_mark);
    const auto end = std::find_if_not(begin, codes->end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return CombiningClass(a) < CombiningClass(b);
    });
    begin = end;
  }
}

void AppendNormalForm(std::string_view text, NormalForm form, std::string* out) {
  constexpr size_t kLongest = 18;  // of one character's decomposition (Unicode, UAX #15)
  const utf8proc_option_t options = OptionsOf(form);
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto code = static_cast<utf8proc_int32_t>(NextCodePoint(text, &at));
    const size_t size = codes.size();
    codes.resize(size + kLongest);
    int boundary = 0;
    const auto count = utf8proc_decompose_char(
        code, &codes[size], kLongest, static_cast<utf8proc_option_t>(options | UTF8PROC_DECOMPOSE),
        &boundary);
    codes.resize(size + static_cast<size_t>(std::max<utf8proc_ssize_t>(count, 0)));
  }
  OrderMarks(&codes);
  auto size = static_cast<utf8proc_ssize_t>(codes.size());
  if ((options & UTF8PROC_COMPOSE) != 0)
    size = utf8proc_normalize_utf32(codes.data(), size, options);
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    AppendUtf8(static_cast<char32_t>(codes[static_cast<size_t>(i)]), out);
  }
}

}  // namespace

char32_t NextCodePoint(std::string_view text, size_t* at) {
  const auto lead = static_cast<uint8_t>(text[(*at)++]);
  if (lead < 0x80) return lead;
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  char32_t code_point = lead & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    code_point = code_point << 6 | (static_cast<uint8_t>(text[(*at)++]) & 0x3F);
  }
  return code_point;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto put = [&](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string ReplaceInvalidUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const Sequence sequence = SequenceAt(bytes, at);
    text += sequence.whole ? bytes.substr(at, sequence.length) : std::string_view("\xEF\xBF\xBD");
    at += sequence.length;
  }
  return text;
}

size_t UnfinishedTail(std::string_view bytes) {
  for (size_t tail = 1; tail <= std::min<size_t>(3, bytes.size()); ++tail) {
    const auto lead = static_cast<uint8_t>(bytes[bytes.size() - tail]);
    if ((lead & 0xC0) == 0x80) continue;
    const Sequence sequence = SequenceAt(bytes, bytes.size() - tail);
    return lead >= 0xC2 && lead <= 0xF4 && !sequence.whole && sequence.length == tail ? tail : 0;
  }
  return 0;
}

bool IsWhiteSpace(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

size_t WhiteSpaceBefore(std::string_view text, size_t end, size_t floor) {
  size_t begin = end;
  while (begin > floor) {
    size_t start = begin - 1;
    while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
    size_t at = start;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    begin = start;
  }
  return begin;
}

size_t WhiteSpaceAfter(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t at = begin;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    begin = at;
  }
  return begin;
}

std::string ToNormalForm(std::string_view text, NormalForm form) {
  if (IsNormal(text, form)) return std::string(text);
  // What is too young stands as it is, and nothing moves or composes across it.
  std::string normal;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    if (!IsTooYoungToNormalize(NextCodePoint(text, &at))) continue;
    AppendNormalForm(text.substr(begin, start - begin), form, &normal);
    normal += text.substr(start, at - start);
    begin = at;
  }
  AppendNormalForm(text.substr(begin), form, &normal);
  return normal;
}

}  // namespace hone
