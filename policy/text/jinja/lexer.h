// Template source to tokens, with jinja2's rules of white space for trim_blocks and lstrip_blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/jinja/ast.h"

namespace hone::jinja {

enum class TokenKind : uint8_t {
  kData,  // text between tags
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Place place;
  std::string text;  // of a string literal: what it stands for
  int64_t integer = 0;
  double real = 0;
};

// The last token is kEnd. The source must be valid UTF-8. Throws PlacedFailure.
std::vector<Token> Tokenize(std::string_view source);

}  // namespace hone::jinja
