// A template as a tree, made once and never changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/text/jinja/filters.h"
#include "policy/text/jinja/tests.h"

namespace hone::jinja {

// From 1; the column counts code points.
struct Place {
  uint32_t line = 1, column = 1;
};

// What is wrong with a source or went wrong in a rendering, and where in the template.
struct PlacedFailure : Failure {
  PlacedFailure(Place at, const std::string& message) : Failure(message), place(at) {}
  Place place;
};

enum class Operator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Expression;
struct Keyword;

struct Expression {
  enum class Kind : uint8_t {
    kLiteral,      // None, a bool, a number
    kText,         // `name` is the text
    kName,         // a variable
    kList,         // children
    kTuple,        // children
    kDict,         // children: key, value, key, value, …
    kAttribute,    // children[0].name
    kItem,         // children[0][children[1]]
    kSlice,        // children[0][children[1]:children[2]:children[3]]; None where left out
    kCall,         // children[0](children[1], …, keywords)
    kFilter,       // children[0] | name(children[1], …, keywords)
    kFilterBlock,  // the same, of a block's text: no children[0]
    kTest,         // children[0] is name(children[1], …, keywords)
    kNot,
    kNegative,
    kPositive,
    kBinary,   // children[0] operators[0] children[1]
    kCompare,  // children[0] operators[0] children[1] operators[1] children[2] …
    kAnd,
    kOr,
    kConcat,  // children, joined as texts
    kIfElse,  // children[0] if children[1] else children[2]; two children: no else
  };
  Kind kind = Kind::kLiteral;
  Place place;
  int depth = 1;  // of the tree from here
  std::string name;
  std::variant<std::monostate, bool, int64_t, double> literal;
  std::vector<Operator> operators;
  std::vector<Expression> children;
  std::vector<Keyword> keywords;
  bool expands_list = false, expands_dict = false;  // a call's last children: *list, then **dict
  FilterFunction filter = nullptr;                  // null: not known
  TestFunction test = nullptr;
};

struct Keyword {
  std::string name;
  Expression value;
};

// What a value is assigned to: a variable, an attribute of a namespace, or several targets.
struct Target {
  std::string name;
  std::string attribute;      // of the namespace `name`; empty: the variable `name`
  std::vector<Target> items;  // of a tuple, which has no name
  bool is_tuple = false;
};

struct Parameter {
  std::string name;
  std::optional<Expression> fallback;
};

struct Statement;
using Body = std::vector<Statement>;

struct Branch;

struct Statement {
  enum class Kind : uint8_t {
    kText,         // `text` as it stands
    kPrint,        // expression
    kIf,           // branches; otherwise
    kFor,          // target in expression if condition: body; otherwise
    kSet,          // target = expression
    kSetBlock,     // target = the text of body, through `expression` when that is a filter
    kWith,         // assignments hold in body
    kMacro,        // text is its name; parameters, body
    kCall,         // expression is a call; parameters and body are its caller
    kFilterBlock,  // the text of body through expression
    kGeneration,   // body, with a scope of its own
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kText;
  Place place;
  std::string text;
  Target target;
  std::optional<Expression> expression, condition;
  std::vector<Branch> branches;
  std::vector<std::pair<Target, Expression>> assignments;
  std::vector<Parameter> parameters;
  Body body, otherwise;
  bool recursive = false;
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;  // of a macro's body
};

struct Branch {
  Expression condition;
  Body body;
};

}  // namespace hone::jinja
