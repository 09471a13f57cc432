// Expressions of a template, by recursive descent with jinja2's precedence.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/jinja/lexer.h"

namespace hone::jinja {

// A cursor over the tokens, and the expressions that begin at it.
class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view source) : tokens_(Tokenize(source)) {}

  const Token& current() const { return tokens_[at_]; }
  Token Take() { return tokens_[current().kind == TokenKind::kEnd ? at_ : at_++]; }
  bool AtName(std::string_view name) const { return Is(current(), TokenKind::kName, name); }
  bool AtOperator(std::string_view text) const { return Is(current(), TokenKind::kOperator, text); }
  bool TakeName(std::string_view name) { return AtName(name) && (++at_, true); }
  bool TakeOperator(std::string_view text) { return AtOperator(text) && (++at_, true); }
  Token Expect(TokenKind kind);
  void ExpectOperator(std::string_view text);
  [[noreturn]] void Fail(Place place, const std::string& message) const;
  [[noreturn]] void FailHere(const std::string& expected) const;

  Expression ParseExpression(bool with_if_else = true);
  // Expressions with commas between them are a tuple; one alone is itself.
  Expression ParseTuple(bool with_if_else = true, bool in_parentheses = false);
  // | name(arguments) …; `of_block`: the first comes without "|" and its value is a block's text.
  Expression ParseFilters(Expression value, bool of_block);
  Target ParseTarget(bool with_tuple, bool with_attribute);
  std::string ParseVariableName();

  // Which of caller, kwargs and varargs were named since this was last cleared.
  struct Special {
    bool caller = false, kwargs = false, varargs = false;
  };
  Special special;

  // Holds while something nested is parsed.
  class Nested {
   public:
    explicit Nested(ExpressionParser* parser);
    ~Nested() { --parser_->nesting_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    ExpressionParser* parser_;
  };

 private:
  static bool Is(const Token& token, TokenKind kind, std::string_view text) {
    return token.kind == kind && token.text == text;
  }
  const Token& Next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool AtTupleEnd() const;

  Expression ParseIfElse();
  Expression ParseOr();
  Expression ParseAnd();
  Expression ParseNot();
  Expression ParseCompare();
  bool TakeComparison(Operator* comparison);
  Expression ParseSum();
  Expression ParseConcat();
  Expression ParseProduct();
  Expression ParsePower();
  Expression ParseUnary(bool with_filters = true);
  Expression ParsePrimary();
  Expression ParseList();
  Expression ParseDict();
  Expression ParsePostfix(Expression value);
  Expression ParseFiltersAndTests(Expression value);
  Expression ParseSubscript(Expression value);
  Expression ParseTest(Expression value);
  void ParseArguments(Expression* call);

  Expression Make(Expression::Kind kind, Place place) const;
  void AddChild(Expression* parent, Expression child) const;
  void Deepen(Expression* parent, int depth) const;
  template <class... Children>
  Expression Combine(Expression::Kind kind, Place place, Children... children) const {
    Expression parent = Make(kind, place);
    (AddChild(&parent, std::move(children)), ...);
    return parent;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace hone::jinja
