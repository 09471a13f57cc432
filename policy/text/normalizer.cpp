#include "policy/text/normalizer.h"

#include <algorithm>

#include "policy/text/byte_level.h"
#include "policy/text/unicode_classes.h"

namespace hone {
namespace {

// Writes what each character becomes; map(code_point, out) appends to `out`.
template <class Map>
void MapCharacters(NormalizedText* text, Map map) {
  std::string mapped;
  mapped.reserve(text->text.size());
  size_t from_start = 0;
  for (size_t at = 0; at < text->text.size();) {
    const bool first = at < text->from_start;
    map(NextCodePoint(text->text, &at), &mapped);
    if (first) from_start = mapped.size();
  }
  text->text = std::move(mapped);
  text->from_start = from_start;
}

template <class Drop>
void DropCharacters(NormalizedText* text, Drop drop) {
  MapCharacters(text, [&](char32_t c, std::string* out) {
    if (!drop(c)) AppendUtf8(c, out);
  });
}

void Replace(const NormalizerStep& step, NormalizedText* text) {
  std::string replaced;
  size_t done = 0, from_start = 0;
  const auto copy_until = [&](size_t end) {
    const size_t old = std::min(std::max(done, text->from_start), end) - done;
    if (old > 0) from_start = replaced.size() + old;
    replaced.append(text->text, done, end - done);
    done = end;
  };
  for (const auto& [begin, end] : step.pattern->FindMatches(text->text)) {
    copy_until(begin);
    // The content stems from the last character of the match.
    replaced += step.content;
    if ((end == 0 || end <= text->from_start) && !step.content.empty())
      from_start = replaced.size();
    done = end;
  }
  copy_until(text->text.size());
  text->text = std::move(replaced);
  text->from_start = from_start;
}

void Strip(const NormalizerStep& step, NormalizedText* text) {
  size_t begin = 0, end = text->text.size();
  if (step.left) begin = WhiteSpaceAfter(text->text, 0);
  if (step.right) end = WhiteSpaceBefore(text->text, end, begin);
  text->text = text->text.substr(begin, end - begin);
  text->from_start = std::min(text->from_start - std::min(text->from_start, begin), end - begin);
}

void ToForm(NormalForm form, NormalizedText* text) {
  if (text->from_start == text->text.size()) {
    text->text = ToNormalForm(text->text, form);
    text->from_start = text->text.size();
    return;
  }
  const std::string_view first = std::string_view(text->text).substr(0, text->from_start);
  const size_t from_start = ToNormalForm(first, form).size();
  text->text = ToNormalForm(text->text, form);
  text->from_start = std::min(from_start, text->text.size());
}

bool IsNmtControl(char32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
         c == 0x9F;
}

bool IsNmtSpace(char32_t c) {
  return c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
         c == 0xFFFD;
}

// The blocks that BERT's first tokenizer surrounds with spaces.
bool IsChinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

bool IsTabOrBreak(char32_t c) { return c == '\t' || c == '\n' || c == '\r'; }

void Apply(const NormalizerStep& step, NormalizedText* text) {
  switch (step.kind) {
    case NormalizerKind::kNormalForm:
      return ToForm(step.form, text);
    case NormalizerKind::kPrepend:
      text->text.insert(0, step.content);
      if (text->from_start > 0) text->from_start += step.content.size();
      return;
    case NormalizerKind::kReplace:
      return Replace(step, text);
    case NormalizerKind::kLowercase:
      return MapCharacters(text, [](char32_t c, std::string* out) {
        AppendUtf8(LowerCase(c), out);
        if (c == 0x130) AppendUtf8(0x307, out);
      });
    case NormalizerKind::kStrip:
      return Strip(step, text);
    case NormalizerKind::kStripAccents:
      return DropCharacters(text, [](char32_t c) { return IsIn(c, kCombiningMark); });
    case NormalizerKind::kNmt:
      DropCharacters(text, IsNmtControl);
      return MapCharacters(
          text, [](char32_t c, std::string* out) { AppendUtf8(IsNmtSpace(c) ? U' ' : c, out); });
    case NormalizerKind::kByteLevel:
      return MapCharacters(text, [](char32_t c, std::string* out) {
        std::string bytes;
        AppendUtf8(c, &bytes);
        AppendSymbols(bytes, out);
      });
    case NormalizerKind::kBertClean:
      DropCharacters(text, [](char32_t c) { return IsIn(c, kControl); });
      return MapCharacters(text, [](char32_t c, std::string* out) {
        AppendUtf8(IsTabOrBreak(c) || IsWhiteSpace(c) ? U' ' : c, out);
      });
    case NormalizerKind::kBertChinese:
      return MapCharacters(text, [](char32_t c, std::string* out) {
        const bool apart = IsChinese(c);
        if (apart) *out += ' ';
        AppendUtf8(c, out);
        if (apart) *out += ' ';
      });
    case NormalizerKind::kBertAccents:
      ToForm(NormalForm::kD, text);
      return DropCharacters(text, [](char32_t c) { return IsIn(c, kNonspacingMark); });
  }
}

}  // namespace

void Normalize(const std::vector<NormalizerStep>& steps, NormalizedText* text) {
  for (const NormalizerStep& step : steps) {
    if (text->text.empty()) return;
    Apply(step, text);
  }
}

std::string Normalize(const std::vector<NormalizerStep>& steps, std::string_view text) {
  NormalizedText normalized{std::string(text), 0};
  Normalize(steps, &normalized);
  return std::move(normalized.text);
}

}  // namespace hone
