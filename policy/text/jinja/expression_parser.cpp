#include "policy/text/jinja/expression_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hone::jinja {
namespace {

using Node = Expression::Kind;

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kData:
      return "text";
    case TokenKind::kVariableBegin:
      return "'{{'";
    case TokenKind::kVariableEnd:
      return "the end of the expression ('}}')";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "the end of the tag ('%}')";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kEnd:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

std::string_view KindName(TokenKind kind) {
  switch (kind) {
    case TokenKind::kName:
      return "a name";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    default:
      return "something else";
  }
}

bool IsConstantName(std::string_view name) {
  return name == "true" || name == "True" || name == "false" || name == "False" || name == "none" ||
         name == "None";
}

}  // namespace

ExpressionParser::Nested::Nested(ExpressionParser* parser) : parser_(parser) {
  if (parser->nesting_ >= kMaxNesting) {
    parser->Fail(parser->current().place, fmt::format("nested deeper than {} levels", kMaxNesting));
  }
  ++parser->nesting_;
}

void ExpressionParser::Fail(Place place, const std::string& message) const {
  throw PlacedFailure(place, message);
}

void ExpressionParser::FailHere(const std::string& expected) const {
  Fail(current().place, fmt::format("expected {}, found {}", expected, Describe(current())));
}

Token ExpressionParser::Expect(TokenKind kind) {
  if (current().kind != kind) FailHere(std::string(KindName(kind)));
  return Take();
}

void ExpressionParser::ExpectOperator(std::string_view text) {
  if (!TakeOperator(text)) FailHere(fmt::format("'{}'", text));
}

Expression ExpressionParser::Make(Node kind, Place place) const {
  Expression expression;
  expression.kind = kind;
  expression.place = place;
  return expression;
}

void ExpressionParser::Deepen(Expression* parent, int depth) const {
  parent->depth = std::max(parent->depth, depth + 1);
  if (parent->depth > kMaxExpressionDepth) {
    Fail(parent->place, fmt::format("an expression deeper than {} levels", kMaxExpressionDepth));
  }
}

void ExpressionParser::AddChild(Expression* parent, Expression child) const {
  Deepen(parent, child.depth);
  parent->children.push_back(std::move(child));
}

Expression ExpressionParser::ParseExpression(bool with_if_else) {
  const Nested nested(this);
  return with_if_else ? ParseIfElse() : ParseOr();
}

Expression ExpressionParser::ParseIfElse() {
  Expression value = ParseOr();
  while (AtName("if")) {
    const Place place = Take().place;
    value = Combine(Node::kIfElse, place, std::move(value), ParseOr());
    if (TakeName("else")) {
      const Nested nested(this);
      AddChild(&value, ParseIfElse());
    }
  }
  return value;
}

Expression ExpressionParser::ParseOr() {
  Expression left = ParseAnd();
  while (AtName("or")) {
    const Place place = Take().place;
    left = Combine(Node::kOr, place, std::move(left), ParseAnd());
  }
  return left;
}

Expression ExpressionParser::ParseAnd() {
  Expression left = ParseNot();
  while (AtName("and")) {
    const Place place = Take().place;
    left = Combine(Node::kAnd, place, std::move(left), ParseNot());
  }
  return left;
}

Expression ExpressionParser::ParseNot() {
  if (!AtName("not")) return ParseCompare();
  const Place place = Take().place;
  const Nested nested(this);
  return Combine(Node::kNot, place, ParseNot());
}

bool ExpressionParser::TakeComparison(Operator* comparison) {
  static constexpr std::array<std::pair<std::string_view, Operator>, 6> kSigns = {
      {{"==", Operator::kEqual},
       {"!=", Operator::kNotEqual},
       {"<", Operator::kLess},
       {"<=", Operator::kLessEqual},
       {">", Operator::kGreater},
       {">=", Operator::kGreaterEqual}}};
  for (const auto& [sign, meaning] : kSigns) {
    *comparison = meaning;
    if (TakeOperator(sign)) return true;
  }
  *comparison = Operator::kIn;
  if (TakeName("in")) return true;
  *comparison = Operator::kNotIn;
  if (!AtName("not") || !Is(Next(), TokenKind::kName, "in")) return false;
  at_ += 2;
  return true;
}

Expression ExpressionParser::ParseCompare() {
  const Place place = current().place;
  Expression first = ParseSum();
  Operator comparison;
  if (!TakeComparison(&comparison)) return first;
  Expression chain = Combine(Node::kCompare, place, std::move(first));
  do {
    chain.operators.push_back(comparison);
    AddChild(&chain, ParseSum());
  } while (TakeComparison(&comparison));
  return chain;
}

Expression ExpressionParser::ParseSum() {
  Expression left = ParseConcat();
  while (AtOperator("+") || AtOperator("-")) {
    const Token sign = Take();
    left = Combine(Node::kBinary, sign.place, std::move(left), ParseConcat());
    left.operators = {sign.text == "+" ? Operator::kAdd : Operator::kSubtract};
  }
  return left;
}

Expression ExpressionParser::ParseConcat() {
  Expression first = ParseProduct();
  if (!AtOperator("~")) return first;
  Expression parts = Combine(Node::kConcat, current().place, std::move(first));
  while (TakeOperator("~")) AddChild(&parts, ParseProduct());
  return parts;
}

Expression ExpressionParser::ParseProduct() {
  static constexpr std::array<std::pair<std::string_view, Operator>, 4> kSigns = {
      {{"*", Operator::kMultiply},
       {"/", Operator::kDivide},
       {"//", Operator::kFloorDivide},
       {"%", Operator::kModulo}}};
  Expression left = ParsePower();
  while (true) {
    const auto sign = std::find_if(kSigns.begin(), kSigns.end(),
                                   [&](const auto& entry) { return AtOperator(entry.first); });
    if (sign == kSigns.end()) return left;
    const Place place = Take().place;
    left = Combine(Node::kBinary, place, std::move(left), ParsePower());
    left.operators = {sign->second};
  }
}

// To the left, unlike Python's: 2 ** 3 ** 2 is 64, and -2 ** 2 is 4.
Expression ExpressionParser::ParsePower() {
  Expression left = ParseUnary();
  while (AtOperator("**")) {
    const Place place = Take().place;
    left = Combine(Node::kBinary, place, std::move(left), ParseUnary());
    left.operators = {Operator::kPower};
  }
  return left;
}

Expression ExpressionParser::ParseUnary(bool with_filters) {
  Expression value;
  if (AtOperator("-") || AtOperator("+")) {
    const Token sign = Take();
    const Nested nested(this);
    value = Combine(sign.text == "-" ? Node::kNegative : Node::kPositive, sign.place,
                    ParseUnary(/*with_filters=*/false));
  } else {
    value = ParsePrimary();
  }
  value = ParsePostfix(std::move(value));
  return with_filters ? ParseFiltersAndTests(std::move(value)) : value;
}

Expression ExpressionParser::ParsePrimary() {
  const Token& token = current();
  Expression value = Make(Node::kLiteral, token.place);
  switch (token.kind) {
    case TokenKind::kName:
      if (!IsConstantName(token.text)) {
        value.kind = Node::kName;
        value.name = ParseVariableName();
        return value;
      }
      if (token.text != "none" && token.text != "None") {
        value.literal = token.text == "true" || token.text == "True";
      }
      break;
    case TokenKind::kString:
      value.kind = Node::kText;
      while (current().kind == TokenKind::kString) value.name += Take().text;
      return value;
    case TokenKind::kInteger:
      value.literal = token.integer;
      break;
    case TokenKind::kFloat:
      value.literal = token.real;
      break;
    default:
      if (TakeOperator("(")) {
        value = ParseTuple(/*with_if_else=*/true, /*in_parentheses=*/true);
        ExpectOperator(")");
        return value;
      }
      if (AtOperator("[")) return ParseList();
      if (AtOperator("{")) return ParseDict();
      FailHere("an expression");
  }
  Take();
  return value;
}

std::string ExpressionParser::ParseVariableName() {
  std::string name = Expect(TokenKind::kName).text;
  special.caller |= name == "caller";
  special.kwargs |= name == "kwargs";
  special.varargs |= name == "varargs";
  return name;
}

bool ExpressionParser::AtTupleEnd() const {
  return current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd ||
         AtOperator(")");
}

Expression ExpressionParser::ParseTuple(bool with_if_else, bool in_parentheses) {
  Expression tuple = Make(Node::kTuple, current().place);
  bool is_tuple = false;
  while (!AtTupleEnd() && !(is_tuple && AtName("recursive"))) {
    AddChild(&tuple, ParseExpression(with_if_else));
    if (!TakeOperator(",")) break;
    is_tuple = true;
  }
  if (is_tuple || (tuple.children.empty() && in_parentheses)) return tuple;
  if (tuple.children.empty()) FailHere("an expression");
  Expression only = std::move(tuple.children.front());
  return only;
}

Expression ExpressionParser::ParseList() {
  Expression list = Make(Node::kList, Take().place);
  while (!AtOperator("]")) {
    AddChild(&list, ParseExpression());
    if (!AtOperator("]")) ExpectOperator(",");
  }
  Take();
  return list;
}

Expression ExpressionParser::ParseDict() {
  Expression dict = Make(Node::kDict, Take().place);
  while (!AtOperator("}")) {
    AddChild(&dict, ParseExpression());
    ExpectOperator(":");
    AddChild(&dict, ParseExpression());
    if (!AtOperator("}")) ExpectOperator(",");
  }
  Take();
  return dict;
}

Expression ExpressionParser::ParsePostfix(Expression value) {
  while (true) {
    if (AtOperator(".") || AtOperator("[")) {
      value = ParseSubscript(std::move(value));
    } else if (AtOperator("(")) {
      value = Combine(Node::kCall, current().place, std::move(value));
      ParseArguments(&value);
    } else {
      return value;
    }
  }
}

Expression ExpressionParser::ParseFiltersAndTests(Expression value) {
  while (true) {
    if (AtOperator("|")) {
      value = ParseFilters(std::move(value), /*of_block=*/false);
    } else if (AtName("is")) {
      value = ParseTest(std::move(value));
    } else if (AtOperator("(")) {
      value = Combine(Node::kCall, current().place, std::move(value));
      ParseArguments(&value);
    } else {
      return value;
    }
  }
}

Expression ExpressionParser::ParseSubscript(Expression value) {
  const Place place = current().place;
  if (TakeOperator(".")) {
    if (current().kind == TokenKind::kInteger) {
      Expression index = Make(Node::kLiteral, current().place);
      index.literal = Take().integer;
      return Combine(Node::kItem, place, std::move(value), std::move(index));
    }
    if (current().kind != TokenKind::kName) FailHere("a name or an integer after '.'");
    Expression attribute = Combine(Node::kAttribute, place, std::move(value));
    attribute.name = Take().text;
    return attribute;
  }
  ExpectOperator("[");
  Expression item = Combine(Node::kItem, place, std::move(value));
  const auto bound = [&] {
    const bool left_out = AtOperator(":") || AtOperator("]");
    AddChild(&item, left_out ? Make(Node::kLiteral, current().place) : ParseExpression());
  };
  if (AtOperator("]")) {  // the empty tuple, as jinja2 has it
    AddChild(&item, Make(Node::kTuple, current().place));
  } else {
    bound();
  }
  if (TakeOperator(":")) {
    item.kind = Node::kSlice;
    bound();
    const bool has_step = TakeOperator(":");
    if (has_step || AtOperator("]")) bound();
  }
  if (AtOperator(",")) Fail(current().place, "an index of several parts is not supported");
  ExpectOperator("]");
  return item;
}

Expression ExpressionParser::ParseFilters(Expression value, bool of_block) {
  bool first_of_block = of_block;
  while (first_of_block || TakeOperator("|")) {
    const Token name = Expect(TokenKind::kName);
    if (first_of_block) {
      value = Make(Node::kFilterBlock, name.place);
    } else {
      value = Combine(Node::kFilter, name.place, std::move(value));
    }
    value.name = name.text;
    while (TakeOperator(".")) value.name += "." + Expect(TokenKind::kName).text;
    value.filter = FindFilter(value.name);
    if (AtOperator("(")) ParseArguments(&value);
    first_of_block = false;
  }
  return value;
}

Expression ExpressionParser::ParseTest(Expression value) {
  const Place place = Take().place;
  const bool negated = TakeName("not");
  Expression test = Combine(Node::kTest, place, std::move(value));
  test.name = Expect(TokenKind::kName).text;
  while (TakeOperator(".")) test.name += "." + Expect(TokenKind::kName).text;
  test.test = FindTest(test.name);
  const TokenKind kind = current().kind;
  const bool has_argument =
      (kind == TokenKind::kName && !AtName("else") && !AtName("or") && !AtName("and")) ||
      kind == TokenKind::kString || kind == TokenKind::kInteger || kind == TokenKind::kFloat ||
      AtOperator("[") || AtOperator("{");
  if (AtOperator("(")) {
    ParseArguments(&test);
  } else if (has_argument) {
    if (AtName("is")) Fail(current().place, "tests cannot be chained with 'is'");
    const Nested nested(this);
    AddChild(&test, ParsePostfix(ParsePrimary()));
  }
  return negated ? Combine(Node::kNot, place, std::move(test)) : test;
}

void ExpressionParser::ParseArguments(Expression* call) {
  ExpectOperator("(");
  while (!AtOperator(")")) {
    const Place place = current().place;
    const bool keyword =
        current().kind == TokenKind::kName && Is(Next(), TokenKind::kOperator, "=");
    if (TakeOperator("*")) {
      if (call->expands_list || call->expands_dict) Fail(place, "only one '*' list can be given");
      call->expands_list = true;
      AddChild(call, ParseExpression());
    } else if (TakeOperator("**")) {
      if (call->expands_dict) Fail(place, "only one '**' mapping can be given");
      call->expands_dict = true;
      AddChild(call, ParseExpression());
    } else if (keyword) {
      if (call->expands_dict) Fail(place, "a named argument after '**'");
      std::string name = Take().text;
      Take();
      Expression value = ParseExpression();
      Deepen(call, value.depth);
      call->keywords.push_back({std::move(name), std::move(value)});
    } else {
      if (call->expands_list || call->expands_dict || !call->keywords.empty()) {
        Fail(place, "an argument without a name must come before those with one");
      }
      AddChild(call, ParseExpression());
    }
    if (!AtOperator(")")) ExpectOperator(",");
  }
  Take();
}

Target ExpressionParser::ParseTarget(bool with_tuple, bool with_attribute) {
  const auto single = [&]() -> Target {
    Target target;
    if (TakeOperator("(")) {
      const Nested nested(this);
      target = ParseTarget(/*with_tuple=*/true, /*with_attribute=*/false);
      ExpectOperator(")");
      return target;
    }
    const Place place = current().place;
    target.name = ParseVariableName();
    if (IsConstantName(target.name)) Fail(place, fmt::format("cannot assign to {}", target.name));
    if (with_attribute && TakeOperator(".")) target.attribute = Expect(TokenKind::kName).text;
    return target;
  };
  Target first = single();
  if (!with_tuple || !AtOperator(",")) return first;
  Target tuple;
  tuple.is_tuple = true;
  tuple.items.push_back(std::move(first));
  while (TakeOperator(",")) {
    if (AtTupleEnd() || AtName("in") || AtOperator("=")) break;
    tuple.items.push_back(single());
  }
  return tuple;
}

}  // namespace hone::jinja
