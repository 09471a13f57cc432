#include "policy/text/jinja/tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "common/nearest.h"
#include "policy/text/jinja/arguments.h"
#include "policy/text/jinja/ast.h"
#include "policy/text/jinja/filters.h"
#include "policy/text/jinja/format.h"
#include "policy/text/jinja/methods.h"
#include "policy/text/jinja/operators.h"

namespace hone::jinja {
namespace {

void NoArguments(const Arguments& arguments) { const Bound bound("this test", arguments, {}); }

template <Kind... kKinds>
bool IsOfKind(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return (value.Is(kKinds) || ...);
}

bool IsDefined(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return !value.Is(Kind::kUndefined);
}
bool IsNumberTest(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return IsNumber(value);
}
bool IsTrue(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return value.Is(Kind::kBool) && value.boolean;
}
bool IsFalse(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return value.Is(Kind::kBool) && !value.boolean;
}
bool IsEscaped(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return value.Is(Kind::kString) && value.markup;
}

bool DividesBy(Heap& heap, const Value& value, const Value& by, int64_t rest) {
  return Equal(heap, Compute(heap, Operator::kModulo, value, by), Int(rest));
}
bool IsDivisibleBy(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  return DividesBy(heap, value, bound[0], 0);
}
bool IsEven(Heap& heap, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return DividesBy(heap, value, Int(2), 0);
}
bool IsOdd(Heap& heap, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return DividesBy(heap, value, Int(2), 1);
}

template <Operator kOperator>
bool Compares(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("this test", arguments, {"other"}, 1);
  return Compare(heap, kOperator, value, bound[0]);
}

bool IsSameAs(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"}, 1);
  if (value.kind != bound[0].kind) return false;
  const bool plain = IsNumber(value) || value.Is(Kind::kNone) || value.Is(Kind::kString);
  return plain ? Equal(heap, value, bound[0]) : value.undefined == bound[0].undefined;
}

template <bool kUpper>
bool IsCase(Heap& heap, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  const Value text = Text(ToText(heap, value));
  return CallMethod(heap, {text, kUpper ? "isupper" : "islower"}, {}).boolean;
}

bool IsFilter(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return value.Is(Kind::kString) && FindFilter(value.text()) != nullptr;
}
bool IsTest(Heap&, const Value& value, const Arguments& arguments) {
  NoArguments(arguments);
  return value.Is(Kind::kString) && FindTest(value.text()) != nullptr;
}

const std::unordered_map<std::string_view, TestFunction>& Tests() {
  using enum Kind;
  static const std::unordered_map<std::string_view, TestFunction> tests = {
      {"defined", IsDefined},
      {"undefined", IsOfKind<kUndefined>},
      {"none", IsOfKind<kNone>},
      {"string", IsOfKind<kString>},
      {"mapping", IsOfKind<kDict>},
      {"sequence", IsOfKind<kString, kList, kTuple, kDict, kRange, kUndefined>},
      {"iterable",
       IsOfKind<kString, kList, kTuple, kDict, kRange, kView, kGenerator, kLoop, kUndefined>},
      {"number", IsNumberTest},
      {"integer", IsOfKind<kInt>},
      {"float", IsOfKind<kFloat>},
      {"boolean", IsOfKind<kBool>},
      {"callable", IsOfKind<kMacro, kMethod, kBuiltin, kLoop, kUndefined>},
      {"true", IsTrue},
      {"false", IsFalse},
      {"escaped", IsEscaped},
      {"divisibleby", IsDivisibleBy},
      {"even", IsEven},
      {"odd", IsOdd},
      {"lower", IsCase<false>},
      {"upper", IsCase<true>},
      {"sameas", IsSameAs},
      {"filter", IsFilter},
      {"test", IsTest},
      {"in", Compares<Operator::kIn>},
      {"eq", Compares<Operator::kEqual>},
      {"==", Compares<Operator::kEqual>},
      {"equalto", Compares<Operator::kEqual>},
      {"ne", Compares<Operator::kNotEqual>},
      {"!=", Compares<Operator::kNotEqual>},
      {"lt", Compares<Operator::kLess>},
      {"<", Compares<Operator::kLess>},
      {"lessthan", Compares<Operator::kLess>},
      {"le", Compares<Operator::kLessEqual>},
      {"<=", Compares<Operator::kLessEqual>},
      {"gt", Compares<Operator::kGreater>},
      {">", Compares<Operator::kGreater>},
      {"greaterthan", Compares<Operator::kGreater>},
      {"ge", Compares<Operator::kGreaterEqual>},
      {">=", Compares<Operator::kGreaterEqual>},
  };
  return tests;
}

}  // namespace

TestFunction FindTest(std::string_view name) {
  const auto found = Tests().find(name);
  return found == Tests().end() ? nullptr : found->second;
}

std::string UnknownTest(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [test, function] : Tests()) known.emplace_back(test);
  std::sort(known.begin(), known.end());
  return fmt::format("there is no test '{}'{}", name, DidYouMean(std::string(name), known));
}

}  // namespace hone::jinja
