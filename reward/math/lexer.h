// The tokens of an answer, LaTeX or plain. What only styles (\left, \displaystyle, $, \,) is gone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::math {

enum class TokenKind : unsigned char {
  kNumber,   // text: digits, maybe with one point, thousands separators left out
  kWord,     // text: a run of ASCII letters
  kCommand,  // text: of \command, without the backslash
  kText,     // text: what stood in \text{…}
  kSymbol,   // text: one of + - * / ^ _ ( ) [ ] { } | , ; : = < > ! % ' & or <= >= != ** \{ \}
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;
  bool space_before = false;

  bool Is(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
  bool IsCommand(std::string_view name) const {
    return kind == TokenKind::kCommand && text == name;
  }
};

// Linear in the text. Ends with one kEnd. A character of no grammar becomes a symbol of its own.
std::vector<Token> Tokenize(std::string_view text);

}  // namespace hone::math
