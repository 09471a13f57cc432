// Oniguruma's syntax to PCRE2's. Sources: oniguruma doc/RE (kkos/oniguruma), pcre2pattern(3).
#include <fmt/format.h>

#include <cctype>
#include <cstdint>
#include <stdexcept>

#include "policy/text/split_pattern.h"
#include "policy/text/unicode_additions.h"

namespace hone {
namespace {

// White_Space; PCRE2's own \s holds U+180E besides.
constexpr std::string_view kSpace =
    R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x00-\x08\x0E-\x1F\x21-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027})"
    R"(\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{D7FF}\x{E000}-\x{10FFFF})";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  std::string Run() {
    while (!AtEnd()) One();
    return std::move(out_);
  }

 private:
  bool AtEnd() const { return at_ == in_.size(); }
  bool StartsWith(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  char Take() {
    if (AtEnd()) throw std::invalid_argument(fmt::format("the pattern {} ends too early", in_));
    return in_[at_++];
  }
  void Copy(size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }
  [[noreturn]] void Refuse(std::string_view construct) const {
    throw std::invalid_argument(
        fmt::format("{} is not supported in the pattern {}", construct, in_));
  }

  void One() {
    if (StartsWith("[")) return Class();
    if (StartsWith("(")) return Group();
    if (StartsWith("{")) return Repeat();
    if (!StartsWith("\\")) return Copy(1);
    Take();
    // A set outside of a class becomes a class of its own.
    const char escape = Take();
    const bool negated =
        (escape == 'S' || escape == 'D' || escape == 'W') || NegatedProperty(escape);
    if (const std::string set = Set(escape); !set.empty()) {
      out_ += (negated ? "[^" : "[") + set + "]";
    } else if (escape == 'A' || escape == 'z' || escape == 'Z') {
      out_ += {'\\', escape};
    } else {
      Character(escape);
    }
  }

  // After "\p" or "\P": whether it is the complement of the property.
  bool NegatedProperty(char escape) const {
    return (escape == 'p' && StartsWith("{^")) || (escape == 'P' && !StartsWith("{^"));
  }

  // The members of \s, \d, \w, \p{…} (or of what their upper-case forms are the complement of), to
  // stand in a class; empty for an escape that is no set.
  std::string Set(char escape) {
    switch (escape) {
      case 's':
      case 'S':
        return std::string(kSpace);
      case 'd':
      case 'D':
        return Property("Nd");
      case 'w':
      case 'W':  // Oniguruma counts superscripts and fractions of Latin-1 among them
        return R"(\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\p{Alphabetic})" + UnicodeAdditions("L") +
               UnicodeAdditions("Nl") + Property("M") + Property("Nd") + Property("Pc");
      case 'p':
      case 'P': {
        if (Take() != '{') Refuse(fmt::format("\\{} without braces", escape));
        if (StartsWith("^")) Take();
        std::string name;
        for (char c = Take(); c != '}'; c = Take()) name += c;
        return Property(name);
      }
      default:
        return "";
    }
  }

  std::string Property(const std::string& name) const {
    constexpr std::string_view kCategories =
        " L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp "
        "Cc Cf ";
    if (name == "Han") return R"(\p{sc:Han})" + UnicodeAdditions(name);
    if (kCategories.find(" " + name + " ") == std::string_view::npos) {
      Refuse(fmt::format("the property {}", name));
    }
    return "\\p{" + name + "}" + UnicodeAdditions(name);
  }

  // An escaped single character.
  void Character(char escape) {
    const auto code = [&](uint32_t value) { out_ += fmt::format("\\x{{{:X}}}", value); };
    switch (escape) {
      case 'n':
        return code('\n');
      case 't':
        return code('\t');
      case 'r':
        return code('\r');
      case 'f':
        return code('\f');
      case 'v':
        return code('\v');
      case 'a':
        return code('\a');
      case 'e':
        return code(0x1B);
      case 'x':
        return code(StartsWith("{") ? BracedHex() : Hex(2));
      case 'u':
        return code(Hex(4));
      default:
        break;
    }
    const auto byte = static_cast<unsigned char>(escape);
    if (byte < 0x80 && (std::isalnum(byte) != 0)) Refuse(fmt::format("\\{}", escape));
    if (byte < 0x80) out_ += '\\';  // punctuation; the bytes of other characters stand as they are
    out_ += escape;
  }

  uint32_t Hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const auto digit = static_cast<unsigned char>(Take());
      if (std::isxdigit(digit) == 0) Refuse("a code point that is not hexadecimal");
      value = value * 16 +
              static_cast<uint32_t>(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return value;
  }

  uint32_t AsciiHex() {
    const uint32_t value = Hex(2);
    if (value >= 0x80) Refuse("a part of a character, \\xHH from 80 on,");
    return value;
  }

  uint32_t BracedHex() {
    Take();
    const size_t end = in_.find('}', at_);
    if (end == std::string_view::npos || end == at_ || end - at_ > 6) Refuse("this use of \\x{…}");
    const uint32_t value = Hex(static_cast<int>(end - at_));
    Take();
    return value;
  }

  void Group() {
    for (const std::string_view kind :
         {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"}) {
      if (StartsWith(kind)) return Copy(kind.size());
    }
    // Elsewhere than at the start, the two disagree on how far the option reaches.
    if (StartsWith("(?i)") && at_ == 0) return Copy(4);
    if (StartsWith("(?")) Refuse("this kind of group");
    if (StartsWith("(*")) Refuse("(*");  // a verb of PCRE2, no group of Oniguruma's
    Copy(1);
  }

  // "{n}", "{n,}", "{n,m}", "{,m}"; another brace stands for itself.
  void Repeat() {
    size_t end = at_ + 1;
    int commas = 0, digits = 0;
    for (; end < in_.size() &&
           (std::isdigit(static_cast<unsigned char>(in_[end])) || in_[end] == ',');
         ++end) {
      (in_[end] == ',' ? commas : digits) += 1;
    }
    if (end == in_.size() || in_[end] != '}' || commas > 1 || digits == 0) {
      Take();
      out_ += "\\{";
      return;
    }
    const char after = end + 1 < in_.size() ? in_[end + 1] : '\0';
    if (after == '+' || (after == '?' && commas == 0)) Refuse("a suffix after {…}");
    const bool from_zero = in_[at_ + 1] == ',';
    out_ += from_zero ? "{0" : "{";
    ++at_;
    Copy(end + 1 - at_);
  }

  void Class() {
    Copy(1);
    if (StartsWith("^")) Copy(1);
    if (StartsWith("]")) Refuse("a ] at the start of a class");
    while (!StartsWith("]")) {
      if (StartsWith("[")) Refuse("a class within a class");
      if (StartsWith("&&")) Refuse("an intersection of classes");
      if (!StartsWith("\\")) {
        out_ += Take();
        continue;
      }
      Take();
      const char escape = Take();
      if (escape == 'S') {
        out_ += kNotSpace;
        continue;
      }
      if (escape == 'D' || escape == 'W' || NegatedProperty(escape)) {
        Refuse("the complement of a property within a class");
      }
      if (const std::string set = Set(escape); !set.empty()) {
        out_ += set;
      } else {
        Character(escape);
      }
    }
    Copy(1);
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string TranslateOniguruma(std::string_view pattern) { return Translator(pattern).Run(); }

}  // namespace hone
