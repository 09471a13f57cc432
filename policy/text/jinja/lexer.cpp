#include "policy/text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/text/jinja/python_text.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Line breaks as "\n"; one at the very end does not count.
std::string NormalizeNewlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : normalized_(NormalizeNewlines(source)) {
    source_ = normalized_;
  }

  std::vector<Token> Run() {
    while (at_ < source_.size()) LexOutside();
    Add(TokenKind::kEnd, at_);
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void Fail(size_t at, const std::string& message) {
    throw PlacedFailure(PlaceOf(at), message);
  }

  // Asked for in order of the source, but for errors.
  Place PlaceOf(size_t at) {
    if (at < counted_) counted_ = 0, place_ = {};
    for (; counted_ < at; ++counted_) {
      if (source_[counted_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else if ((source_[counted_] & 0xc0) != 0x80) {
        ++place_.column;
      }
    }
    return place_;
  }

  Token& Add(TokenKind kind, size_t at, std::string_view text = {}) {
    Token token;
    token.kind = kind;
    token.place = PlaceOf(at);
    token.text = text;
    tokens_.push_back(std::move(token));
    return tokens_.back();
  }

  bool StartsWith(size_t at, std::string_view text) const {
    return source_.substr(std::min(at, source_.size())).starts_with(text);
  }
  size_t SkipSpace(size_t at) const {
    return source_.size() - LeftStrip(source_.substr(std::min(at, source_.size()))).size();
  }

  // The text up to the next tag, and the tag.
  void LexOutside() {
    size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 == source_.size()) {
        AddData(at_, source_.size());
        at_ = source_.size();
        return;
      }
      const char next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    const char type = source_[tag + 1];
    const char sign = SignAt(tag + 2);
    AddData(at_, StripBefore(at_, tag, sign, type != '{'));
    at_ = tag + 2 + (sign != 0);
    if (type == '#') {
      LexComment(tag);
    } else if (type == '{') {
      Add(TokenKind::kVariableBegin, tag);
      LexInside(tag, /*block=*/false);
    } else if (!LexRaw(tag)) {
      Add(TokenKind::kBlockBegin, tag);
      LexInside(tag, /*block=*/true);
    }
  }

  char SignAt(size_t at) const {
    return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : 0;
  }

  // Where the text [begin, end) before a tag ends: "-" takes all white space away, and otherwise,
  // unless it is a variable or has a "+", a tag takes that between the line's start and itself.
  size_t StripBefore(size_t begin, size_t end, char sign, bool strips) const {
    const std::string_view text = source_.substr(begin, end - begin);
    if (sign == '-') return begin + RightStrip(text).size();
    if (sign == '+' || !strips) return end;
    const size_t newline = text.rfind('\n');
    const bool starts_line =
        newline != std::string_view::npos || begin == 0 || source_[begin - 1] == '\n';
    if (!starts_line) return end;
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    return LeftStrip(text.substr(line)).empty() ? begin + line : end;
  }

  void AddData(size_t begin, size_t end) {
    if (begin < end) Add(TokenKind::kData, begin, source_.substr(begin, end - begin));
  }

  // Behind the end of a tag at `at`, or npos when none is there: "-" takes the white space after it
  // away, otherwise a block or comment takes one newline.
  size_t TagEnd(size_t at, std::string_view end, bool trims) const {
    const char sign = SignAt(at);
    if (sign == '+' && !trims) return std::string_view::npos;  // no +}}
    const size_t behind = at + (sign != 0) + end.size();
    if (!StartsWith(at + (sign != 0), end)) return std::string_view::npos;
    if (sign == '-') return SkipSpace(behind);
    return behind + (trims && sign == 0 && StartsWith(behind, "\n"));
  }

  void LexComment(size_t tag) {
    for (size_t at = at_;; ++at) {
      at = source_.find('#', at);
      if (at == std::string_view::npos) Fail(tag, "this comment has no end: expected '#}'");
      const bool sign = at > at_ && SignAt(at - 1) != 0;
      if (const size_t end = TagEnd(sign ? at - 1 : at, "#}", true);
          end != std::string_view::npos) {
        at_ = end;
        return;
      }
    }
  }

  // {% raw %} … {% endraw %}, when the tag is one.
  bool LexRaw(size_t tag) {
    size_t at = SkipSpace(at_);
    if (!StartsWith(at, "raw")) return false;
    at = SkipSpace(at + 3);
    if (StartsWith(at, "-%}")) {
      at_ = SkipSpace(at + 3);
    } else if (StartsWith(at, "%}")) {
      at_ = at + 2;
    } else {
      return false;
    }
    for (size_t end = at_;; ++end) {
      end = source_.find("{%", end);
      if (end == std::string_view::npos) Fail(tag, "this raw block has no end: expected 'endraw'");
      const char sign = SignAt(end + 2);
      const size_t word = SkipSpace(end + 2 + (sign != 0));
      if (!StartsWith(word, "endraw")) continue;
      const size_t behind = TagEnd(SkipSpace(word + 6), "%}", true);
      if (behind == std::string_view::npos) continue;
      AddData(at_, StripBefore(at_, end, sign, true));
      at_ = behind;
      return true;
    }
  }

  // The tokens of a tag, and its end.
  void LexInside(size_t tag, bool block) {
    std::string open;  // brackets not yet closed
    while (true) {
      at_ = SkipSpace(at_);
      if (at_ == source_.size()) {
        Fail(tag, fmt::format("this tag has no end: expected '{}'", block ? "%}" : "}}"));
      }
      if (open.empty()) {
        const size_t end = TagEnd(at_, block ? "%}" : "}}", block);
        if (end != std::string_view::npos) {
          Add(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, at_);
          at_ = end;
          return;
        }
      }
      LexToken(&open);
    }
  }

  void LexToken(std::string* open) {
    const char c = source_[at_];
    if (IsDigit(c)) return LexNumber();
    if (c == '\'' || c == '"') return LexString();
    size_t end = at_;
    while (end < source_.size()) {
      size_t next = end;
      if (!IsWordCharacter(NextCodePoint(source_, &next))) break;
      end = next;
    }
    if (end > at_) {
      Add(TokenKind::kName, at_, source_.substr(at_, end - at_));
      at_ = end;
      return;
    }
    LexOperator(open);
  }

  void LexOperator(std::string* open) {
    static constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    const std::string_view two = source_.substr(at_, 2);
    size_t size = std::find(std::begin(kTwo), std::end(kTwo), two) != std::end(kTwo) ? 2 : 1;
    const char c = source_[at_];
    if (size == 1 && std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      size_t end = at_;
      NextCodePoint(source_, &end);
      Fail(at_, fmt::format("unexpected character '{}'", source_.substr(at_, end - at_)));
    }
    if (c == '(' || c == '[' || c == '{') open->push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      if (open->empty()) Fail(at_, fmt::format("unexpected '{}'", c));
      if (open->back() != c) {
        Fail(at_, fmt::format("unexpected '{}', expected '{}'", c, open->back()));
      }
      open->pop_back();
    }
    Add(TokenKind::kOperator, at_, source_.substr(at_, size));
    at_ += size;
  }

  // Digits with single underscores between them; the end, or `at` when there are none.
  size_t Digits(size_t at) const {
    if (at >= source_.size() || !IsDigit(source_[at])) return at;
    while (at < source_.size()) {
      if (IsDigit(source_[at])) {
        ++at;
      } else if (source_[at] == '_' && at + 1 < source_.size() && IsDigit(source_[at + 1])) {
        at += 2;
      } else {
        break;
      }
    }
    return at;
  }

  // Behind the fraction or exponent of a float whose whole part ends at `whole`; else `whole`.
  size_t FloatEnd(size_t whole) const {
    size_t end = whole;
    if (StartsWith(end, ".") && Digits(end + 1) > end + 1) end = Digits(end + 1);
    if (StartsWith(end, "e") || StartsWith(end, "E")) {
      size_t exponent = end + 1;
      if (StartsWith(exponent, "+") || StartsWith(exponent, "-")) ++exponent;
      if (Digits(exponent) > exponent) end = Digits(exponent);
    }
    return end;
  }

  static std::string WithoutUnderscores(std::string_view digits) {
    std::string text(digits);
    std::erase(text, '_');
    return text;
  }

  void LexNumber() {
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    const size_t whole = Digits(at_), end = after_dot ? whole : FloatEnd(whole);
    if (end > whole) {
      const std::string text = WithoutUnderscores(source_.substr(at_, end - at_));
      Token& token = Add(TokenKind::kFloat, at_, text);
      if (std::from_chars(text.data(), text.data() + text.size(), token.real).ec != std::errc()) {
        token.real = std::strtod(text.c_str(), nullptr);  // 0 or infinity
      }
      at_ = end;
      return;
    }
    size_t stop = whole;
    int base = 10;
    if (source_[at_] == '0') {
      const char letter = at_ + 1 < source_.size() ? (source_[at_ + 1] | 0x20) : 0;
      base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
      // A decimal integer other than 0 begins with another digit.
      stop = base == 10 ? at_ + 1 : BasedEnd(at_ + 2, base);
      if (base == 10) {
        while (stop < whole && (source_[stop] == '0' || source_[stop] == '_')) ++stop;
      } else if (stop == at_ + 2) {
        stop = at_ + 1;
        base = 10;
      }
    }
    const std::string text = WithoutUnderscores(
        source_.substr(at_ + (base == 10 ? 0 : 2), stop - at_ - (base == 10 ? 0 : 2)));
    Token& token = Add(TokenKind::kInteger, at_, text);
    const auto result =
        std::from_chars(text.data(), text.data() + text.size(), token.integer, base);
    if (result.ec != std::errc()) Fail(at_, "expected an integer of at most 64 bits");
    at_ = stop;
  }

  size_t BasedEnd(size_t at, int base) const {
    const auto is_digit = [&](size_t i) {
      if (i >= source_.size()) return false;
      const char c = source_[i];
      const int digit = IsDigit(c)                               ? c - '0'
                        : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                                 : 99;
      return digit < base;
    };
    while (true) {
      if (is_digit(at)) {
        ++at;
      } else if (StartsWith(at, "_") && is_digit(at + 1)) {
        at += 2;
      } else {
        return at;
      }
    }
  }

  void LexString() {
    const size_t begin = at_;
    const char quote = source_[at_++];
    std::string text;
    while (true) {
      if (at_ >= source_.size()) {
        Fail(begin, fmt::format("this string has no end: expected {}", quote));
      }
      const char c = source_[at_];
      if (c == quote) break;
      if (c == '\\') {
        LexEscape(begin, &text);
      } else {
        text += c;
        ++at_;
      }
    }
    ++at_;
    Add(TokenKind::kString, begin, text);
  }

  // Python's escapes; an unknown one stands as it is.
  void LexEscape(size_t begin, std::string* text) {
    const size_t escape = at_++;
    if (at_ >= source_.size()) Fail(begin, "this string has no end");
    static constexpr std::string_view kLetters = "\n\\'\"abfnrtv";
    static constexpr std::string_view kMeaning("\0\\'\"\a\b\f\n\r\t\v", 11);
    const char c = source_[at_];
    if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
      if (letter > 0) *text += kMeaning[letter];
      ++at_;
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      for (int i = 0; i < 3 && at_ < source_.size() && source_[at_] >= '0' && source_[at_] <= '7';
           ++i) {
        code = code * 8 + static_cast<char32_t>(source_[at_++] - '0');
      }
      AppendUtf8(code, text);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      AppendUtf8(HexEscape(escape, c == 'x' ? 2 : c == 'u' ? 4 : 8), text);
    } else if (c == 'N') {
      Fail(escape, "characters by name (\\N{…}) are not supported: write them as they are");
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // jinja2 reads a literal as ASCII with escapes, so this backslash meets the character's own.
      const char32_t code = NextCodePoint(source_, &at_);
      *text += code < 0x100     ? fmt::format("\\x{:02x}", static_cast<uint32_t>(code))
               : code < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(code))
                                : fmt::format("\\U{:08x}", static_cast<uint32_t>(code));
    } else {
      *text += '\\';
    }
  }

  char32_t HexEscape(size_t escape, size_t digits) {
    uint32_t code = 0;
    const char* first = source_.data() + at_;
    const char* last = first + std::min(digits, source_.size() - at_);
    const auto [end, error] = std::from_chars(first, last, code, 16);
    if (error != std::errc() || end != first + digits || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000)) {
      Fail(escape, fmt::format("expected {} hexadecimal digits of a character", digits));
    }
    at_ += digits;
    return code;
  }

  std::string normalized_;
  std::string_view source_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
  size_t counted_ = 0;
  Place place_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace hone::jinja
