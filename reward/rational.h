// Numbers and expressions from text that nobody vouches for, as exact rationals. Bounded in time
// and memory whatever the text: what goes over a limit is kTooLarge, never computed.
#pragma once

#include <gmpxx.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace hone {

enum class Parsed {
  kOk,
  kWrong,     // not of the grammar
  kTooLarge,  // of more digits, length or depth than the limits below allow
};

inline constexpr size_t kMaxDigits = 1000;  // of a number, and as many zeros by its exponent
inline constexpr size_t kMaxExpressionLength = 1000;  // characters
inline constexpr int kMaxExpressionDepth = 200;       // of parentheses and signs

// [+-] decimal [/ decimal]: digits, or groups of three with commas ("1,234"), a fraction (".5",
// "5."), an exponent ("1e3"). U+2212 is a minus too. White space is allowed around the parts.
// Exact: "0.1" is 1/10. A zero denominator is kWrong.
Parsed ParseNumber(std::string_view text, mpq_class* value);

struct Expression {
  std::vector<mpz_class> numbers;  // that it uses, in order
  bool defined = false;            // false: it divides by zero
  mpq_class value;                 // when defined
};

// Integers with + - * / and parentheses; * and / bind tighter, all from left to right; signs before
// an operand. Nothing else is of the grammar: no power, no names, no decimals, no implied product.
Parsed ParseExpression(std::string_view text, Expression* expression);

}  // namespace hone
