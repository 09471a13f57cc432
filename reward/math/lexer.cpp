#include "reward/math/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hone::math {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// What people write outside ASCII, as LaTeX. Letters that only look like ASCII ones are not here:
// they stay strangers, and make the answer a text.
constexpr auto kUnicode = std::to_array<std::pair<std::string_view, std::string_view>>(
    {{"×", "\\times "},   {"·", "\\cdot "},     {"⋅", "\\cdot "},     {"÷", "\\div "},
     {"−", "-"},          {"–", "-"},           {"π", "\\pi "},       {"∞", "\\infty "},
     {"√", "\\sqrt "},    {"∛", "\\sqrt[3] "},  {"°", "^\\circ "},    {"º", "^\\circ "},
     {"≤", "\\le "},      {"≥", "\\ge "},       {"≠", "\\ne "},       {"≈", "\\approx "},
     {"±", "\\pm "},      {"∓", "\\mp "},       {"∪", "\\cup "},      {"∩", "\\cap "},
     {"∈", "\\in "},      {"∅", "\\emptyset "}, {"ℝ", "\\mathbb{R}"}, {"∖", "\\setminus "},
     {"€", "\\text{€} "}, {"£", "\\text{£} "},  {"¥", "\\text{¥} "},  {"⁰", "^{0}"},
     {"¹", "^{1}"},       {"²", "^{2}"},        {"³", "^{3}"},        {"⁴", "^{4}"},
     {"⁵", "^{5}"},       {"⁶", "^{6}"},        {"⁷", "^{7}"},        {"⁸", "^{8}"},
     {"⁹", "^{9}"},       {"⁻", "^-"},          {"½", " 1/2 "},       {"⅓", " 1/3 "},
     {"⅔", " 2/3 "},      {"¼", " 1/4 "},       {"¾", " 3/4 "},       {"⅛", " 1/8 "},
     {"θ", "\\theta "},   {"α", "\\alpha "},    {"β", "\\beta "},     {"λ", "\\lambda "},
     {"ω", "\\omega "},   {"φ", "\\phi "},      {"⟨", "\\langle "},   {"⟩", "\\rangle "},
     {"∨", "\\lor "},     {"\u00a0", " "},      {"\u2009", " "},      {"\u202f", " "}});

constexpr auto kDropped = std::to_array<std::string_view>(
    {"left",        "right",  "big",     "Big",        "bigl",         "bigr",         "Bigl",
     "Bigr",        "bigg",   "Bigg",    "biggl",      "biggr",        "displaystyle", "textstyle",
     "scriptstyle", "limits", "quad",    "qquad",      "hline",        "nonumber",     "mathrm",
     "mathbf",      "mathit", "mathsf",  "boldsymbol", "operatorname", "mathcal",      "bm",
     "rm",          "bf",     "boxed",   "fbox",       "tiny",         "large",        "enspace",
     "thinspace",   "hspace", "phantom", "notag"});
constexpr auto kTextCommands =
    std::to_array<std::string_view>({"text", "textbf", "textit", "textrm", "textnormal", "mbox",
                                     "hbox", "textsf", "texttt", "emph"});
// Whole numbers written over others, as "¹/₂" or "2⁻¹", become ^{…}^{…}: joined here.
std::string JoinPowers(std::string text) {
  size_t at = 0;
  while ((at = text.find("}^{", at)) != std::string::npos) {
    const bool raised = at >= 1 && IsDigit(text[at - 1]) && at + 3 < text.size() &&
                        IsDigit(text[at + 3]) && at >= 3 && text[at - 2] == '{';
    if (raised) {
      text.erase(at, 3);
    } else {
      ++at;
    }
  }
  return text;
}

std::string AsLatex(std::string_view text) {
  const auto foreign = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  if (std::none_of(text.begin(), text.end(), foreign)) return std::string(text);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto* found = kUnicode.end();
    if (foreign(text[at])) {
      found = std::find_if(kUnicode.begin(), kUnicode.end(), [&](const auto& pair) {
        return text.substr(at, pair.first.size()) == pair.first;
      });
    }
    if (found == kUnicode.end()) {
      out += text[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return JoinPowers(std::move(out));
}

class Lexer {
 public:
  explicit Lexer(std::string_view text)
      : text_(text), matrix_(text.find("\\begin") != std::string_view::npos) {}

  std::vector<Token> Run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (IsSpace(c) || c == '~' || c == '$') {
        space_ = true;
        ++at_;
      } else if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
        Number();
      } else if (IsLetter(c)) {
        const size_t begin = at_;
        while (IsLetter(Peek())) ++at_;
        // "1orx": the word that parts two answers, grown together with them.
        if (at_ - begin == 3 && begin > 0 && !IsSpace(text_[begin - 1]) &&
            text_.substr(begin, 2) == "or")
          --at_;
        Push(TokenKind::kWord, std::string(text_.substr(begin, at_ - begin)));
      } else if (c == '\\') {
        Command();
      } else {
        Symbol();
      }
    }
    Push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void Push(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), space_});
    space_ = false;
  }

  // Three digits and then no digit, from `at` on.
  bool GroupAt(size_t at) const {
    for (size_t i = 0; i < 3; ++i) {
      if (at + i >= text_.size() || !IsDigit(text_[at + i])) return false;
    }
    return at + 3 >= text_.size() || !IsDigit(text_[at + 3]);
  }

  // The bytes of a thousands separator at the cursor, with three digits after it; 0: none. A bare
  // comma or space parts thousands only outside brackets, where it cannot part elements.
  size_t Separator() const {
    for (const std::string_view bound : {"{,}", ",\\!", "\\,", "{,}\\!", "\\!,\\!", "\\ "}) {
      if (text_.substr(at_, bound.size()) != bound) continue;
      size_t size = bound.size();
      while (at_ + size < text_.size() && text_[at_ + size] == ' ') ++size;
      if (GroupAt(at_ + size)) return size;
    }
    if (brackets_ > 0) return 0;
    return (Peek() == ',' || Peek() == ' ') && GroupAt(at_ + 1) ? 1 : 0;
  }

  void Number() {
    const size_t begin = at_;
    while (IsDigit(Peek())) ++at_;
    std::string digits(text_.substr(begin, at_ - begin));
    if (digits.size() <= 3 && !digits.empty() && digits[0] != '0') {
      while (const size_t size = Separator()) {
        digits.append(text_.substr(at_ + size, 3));
        at_ += size + 3;
      }
    }
    if (Peek() == '.' && IsDigit(Peek(1))) {
      digits += '.';
      for (++at_; IsDigit(Peek()); ++at_) digits += Peek();
    } else if (Peek() == '.' && !IsLetter(Peek(1)) && Peek(1) != '.') {
      ++at_;  // "5." is 5
    }
    // 1.5e3: only where no other letter follows, and not 2e (twice Euler's number).
    const size_t sign = Peek(1) == '-' || Peek(1) == '+' ? 1 : 0;
    if ((Peek() == 'e' || Peek() == 'E') && IsDigit(Peek(1 + sign))) {
      digits += 'e';
      if (Peek(1) == '-') digits += '-';
      for (at_ += 1 + sign; IsDigit(Peek()); ++at_) digits += Peek();
    }
    Push(TokenKind::kNumber, std::move(digits));
  }

  // The content of the braces at the cursor, which moves behind them; nothing when there are none.
  std::string Braced() {
    while (IsSpace(Peek())) ++at_;
    if (Peek() != '{') return {};
    const size_t begin = ++at_;
    for (int depth = 1; at_ < text_.size(); ++at_) {
      if (text_[at_] == '{') ++depth;
      if (text_[at_] == '}' && --depth == 0) break;
    }
    std::string inside(text_.substr(begin, at_ - begin));
    if (at_ < text_.size()) ++at_;
    return inside;
  }

  // "\mathrm{cm}": letters in braces behind what only styles are one word.
  void Styled() {
    size_t end = at_ + 1;
    while (Peek() == '{' && end < text_.size() && IsLetter(text_[end])) ++end;
    if (Peek() != '{' || end == at_ + 1 || end >= text_.size() || text_[end] != '}') return;
    Push(TokenKind::kWord, std::string(text_.substr(at_ + 1, end - at_ - 1)));
    at_ = end + 1;
  }

  void Command() {
    ++at_;
    // "\\frac" of a text that was escaped twice; in a matrix "\\" ends a row.
    if (Peek() == '\\') {
      ++at_;
      if (matrix_ || !IsLetter(Peek())) return Push(TokenKind::kCommand, "\\");
    }
    if (!IsLetter(Peek())) {
      const char c = Peek();
      if (c != '\0') ++at_;
      if (c == ' ' || c == ',' || c == ';' || c == ':' || c == '!' || c == '(' || c == ')' ||
          c == '[' || c == ']' || c == '\0') {
        space_ = true;
      } else if (c == '{' || c == '}') {
        brackets_ += c == '{' ? 1 : -1;
        Push(TokenKind::kSymbol, std::string("\\") + c);
      } else if (c == '$') {
        Push(TokenKind::kText, "$");
      } else {
        Push(TokenKind::kSymbol, std::string(1, c));
      }
      return;
    }
    const size_t begin = at_;
    while (IsLetter(Peek())) ++at_;
    std::string name(text_.substr(begin, at_ - begin));
    if (name.starts_with("quad") && name.size() > 4) {  // "\quadx": a space was forgotten
      at_ = begin + 4;
      name = "quad";
    }
    if (std::find(kTextCommands.begin(), kTextCommands.end(), name) != kTextCommands.end()) {
      return Push(TokenKind::kText, Braced());
    }
    if (std::find(kDropped.begin(), kDropped.end(), name) != kDropped.end()) {
      if (Peek() == '.') ++at_;  // \left. and \right.
      space_ = true;
      return Styled();
    }
    Push(TokenKind::kCommand, std::move(name));
  }

  void Symbol() {
    const char c = text_[at_], next = Peek(1);
    std::string symbol(1, c);
    if (next == '=' && (c == '<' || c == '>' || c == '!')) symbol += next;
    if (c == '*' && next == '*') symbol += next;
    at_ += symbol.size();
    if (c == '(' || c == '[') ++brackets_;
    if (c == ')' || c == ']') --brackets_;
    Push(TokenKind::kSymbol, std::move(symbol));
  }

  std::string_view text_;
  bool matrix_;
  size_t at_ = 0;
  int brackets_ = 0;
  bool space_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view text) {
  const std::string latex = AsLatex(text);
  return Lexer(latex).Run();
}

}  // namespace hone::math
