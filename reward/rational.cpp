#include "reward/rational.h"

#include <string>

#include "reward/answer.h"

namespace hone {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A place in a text, and what may be taken from there.
struct Cursor {
  std::string_view text;
  size_t at = 0;

  bool done() const { return at >= text.size(); }
  char peek() const { return done() ? '\0' : text[at]; }
  bool Take(std::string_view word) {
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }
  std::string_view TakeDigits() {
    const size_t begin = at;
    while (IsDigit(peek())) ++at;
    return text.substr(begin, at - begin);
  }
  void SkipSpace() {
    while (IsSpace(peek())) ++at;
  }
  // -1, +1, or 0 when there is no sign.
  int TakeSign() {
    if (Take("-") || Take("\u2212")) return -1;
    return Take("+") ? 1 : 0;
  }
};

// An unsigned decimal as text: digits without their point, and the power of ten they are times of.
struct Decimal {
  std::string digits;
  int64_t exponent = 0;
};

// "12", "1,234,567": whether the commas stand right. Appends the digits.
bool TakeWhole(Cursor* cursor, std::string* digits) {
  const std::string_view first = cursor->TakeDigits();
  digits->append(first);
  if (cursor->peek() != ',') return true;
  if (first.empty() || first.size() > 3) return false;
  while (cursor->Take(",")) {
    const std::string_view group = cursor->TakeDigits();
    if (group.size() != 3) return false;
    digits->append(group);
  }
  return true;
}

Parsed TakeDecimal(Cursor* cursor, Decimal* decimal) {
  if (!TakeWhole(cursor, &decimal->digits)) return Parsed::kWrong;
  if (cursor->Take(".")) {
    const std::string_view fraction = cursor->TakeDigits();
    decimal->digits.append(fraction);
    decimal->exponent = -static_cast<int64_t>(fraction.size());
  }
  if (decimal->digits.empty()) return Parsed::kWrong;
  if (cursor->Take("e") || cursor->Take("E")) {
    const int sign = cursor->TakeSign();
    const std::string_view power = cursor->TakeDigits();
    if (power.empty()) return Parsed::kWrong;
    // Beyond six digits the sum below is over the limit whatever they are.
    const int64_t size = power.size() > 6 ? 9'999'999 : std::stoll(std::string(power));
    decimal->exponent += sign < 0 ? -size : size;
  }
  return Parsed::kOk;
}

bool WithinLimits(const Decimal& decimal) {
  const auto magnitude = static_cast<uint64_t>(std::abs(decimal.exponent));
  return decimal.digits.size() <= kMaxDigits && magnitude <= kMaxDigits;
}

mpq_class ToRational(const Decimal& decimal) {
  mpz_class digits(decimal.digits, 10), power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, static_cast<unsigned long>(std::abs(decimal.exponent)));
  if (decimal.exponent >= 0) return mpq_class(digits * power);
  mpq_class value(digits, power);
  value.canonicalize();
  return value;
}

// Recursive descent; its depth is bounded, so that no text can exhaust the stack. A value that a
// division by zero left undefined stays so, and the rest is still checked for its grammar.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, Expression* out) : cursor_{text}, out_(out) {}

  Parsed Parse() {
    out_->defined = true;
    mpq_class value = Sum();
    cursor_.SkipSpace();
    if (status_ == Parsed::kOk && !cursor_.done()) status_ = Parsed::kWrong;
    out_->value = std::move(value);
    return status_;
  }

 private:
  bool TakeOperator(std::string_view word) {
    cursor_.SkipSpace();
    return status_ == Parsed::kOk && cursor_.Take(word);
  }

  mpq_class Sum() {
    mpq_class value = Product();
    while (true) {
      if (TakeOperator("+")) {
        value += Product();
      } else if (TakeOperator("-")) {
        value -= Product();
      } else {
        return value;
      }
    }
  }

  mpq_class Product() {
    mpq_class value = Operand();
    while (true) {
      if (TakeOperator("*")) {
        value *= Operand();
      } else if (TakeOperator("/")) {
        const mpq_class divisor = Operand();
        if (sgn(divisor) == 0) {
          out_->defined = false;
        } else {
          value /= divisor;
        }
      } else {
        return value;
      }
    }
  }

  mpq_class Operand() {
    bool negative = false;
    while (true) {
      if (TakeOperator("-")) {
        negative = !negative;
      } else if (!TakeOperator("+")) {
        break;
      }
    }
    mpq_class value = TakeOperator("(") ? Parenthesised() : Integer();
    if (negative) value = -value;
    return value;
  }

  mpq_class Parenthesised() {
    if (depth_ == kMaxExpressionDepth) {
      status_ = Parsed::kTooLarge;
      return {};
    }
    ++depth_;
    mpq_class value = Sum();
    --depth_;
    if (status_ == Parsed::kOk && !TakeOperator(")")) status_ = Parsed::kWrong;
    return value;
  }

  mpq_class Integer() {
    if (status_ != Parsed::kOk) return {};
    const std::string_view digits = cursor_.TakeDigits();
    if (digits.empty()) {
      status_ = Parsed::kWrong;
      return {};
    }
    out_->numbers.emplace_back(std::string(digits), 10);
    return mpq_class(out_->numbers.back());
  }

  Cursor cursor_;
  Expression* out_;
  Parsed status_ = Parsed::kOk;
  int depth_ = 0;
};

}  // namespace

Parsed ParseNumber(std::string_view text, mpq_class* value) {
  Cursor cursor{Trim(text)};
  const int sign = cursor.TakeSign();
  cursor.SkipSpace();
  Decimal over, under{.digits = "1"};
  if (TakeDecimal(&cursor, &over) != Parsed::kOk) return Parsed::kWrong;
  cursor.SkipSpace();
  if (cursor.Take("/")) {
    cursor.SkipSpace();
    under.digits.clear();
    if (TakeDecimal(&cursor, &under) != Parsed::kOk) return Parsed::kWrong;
  }
  if (!cursor.done()) return Parsed::kWrong;
  if (!WithinLimits(over) || !WithinLimits(under)) return Parsed::kTooLarge;
  const mpq_class divisor = ToRational(under);
  if (sgn(divisor) == 0) return Parsed::kWrong;
  *value = ToRational(over) / divisor;
  if (sign < 0) *value = -*value;
  return Parsed::kOk;
}

Parsed ParseExpression(std::string_view text, Expression* expression) {
  *expression = Expression{};
  const std::string_view trimmed = Trim(text);
  if (trimmed.size() > kMaxExpressionLength) return Parsed::kTooLarge;
  return ExpressionParser(trimmed, expression).Parse();
}

}  // namespace hone
