#include "policy/text/jinja/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/text/jinja/expression_parser.h"

namespace hone::jinja {
namespace {

using Tag = Statement::Kind;

class Parser {
 public:
  explicit Parser(std::string_view source) : in_(source) {}

  Body Run() {
    Body body = ParseBody({});
    if (in_.current().kind == TokenKind::kBlockBegin) {  // of a tag that ends a block
      in_.Take();
      in_.Fail(in_.current().place,
               fmt::format("'{}' ends a block that was not begun", in_.current().text));
    }
    return body;
  }

 private:
  using EndTags = std::initializer_list<std::string_view>;

  static bool IsEndTag(std::string_view name) {
    return name.starts_with("end") || name == "else" || name == "elif";
  }

  // Statements up to a tag of `ends`, whose name is left at the cursor; without `ends`, to the end
  // of the template.
  Body ParseBody(EndTags ends) {
    Body body;
    while (in_.current().kind != TokenKind::kEnd) {
      const Token token = in_.current();
      if (token.kind == TokenKind::kData) {
        in_.Take();
        Statement text = Make(Tag::kText, token.place);
        text.text = token.text;
        body.push_back(std::move(text));
      } else if (token.kind == TokenKind::kVariableBegin) {
        in_.Take();
        Statement print = Make(Tag::kPrint, token.place);
        print.expression = in_.ParseTuple();
        in_.Expect(TokenKind::kVariableEnd);
        body.push_back(std::move(print));
      } else {
        in_.Take();
        const std::string name = in_.current().text;
        if (std::find(ends.begin(), ends.end(), name) != ends.end() &&
            in_.current().kind == TokenKind::kName) {
          return body;
        }
        body.push_back(ParseTag());
        in_.Expect(TokenKind::kBlockEnd);
      }
    }
    if (ends.size() > 0) {
      in_.FailHere(fmt::format("'{{% {} %}}'", *(ends.end() - 1)));
    }
    return body;
  }

  // Behind a tag's own words: its body and the name of the tag that ends it.
  Body ParseBlock(EndTags ends) {
    in_.TakeOperator(":");
    in_.Expect(TokenKind::kBlockEnd);
    const ExpressionParser::Nested nested(&in_);
    return ParseBody(ends);
  }

  static Statement Make(Tag kind, Place place) {
    Statement statement;
    statement.kind = kind;
    statement.place = place;
    return statement;
  }

  Statement ParseTag() {
    if (in_.current().kind != TokenKind::kName) in_.FailHere("the name of a tag");
    const Token tag = in_.Take();
    const std::string& name = tag.text;
    if (name == "if") return ParseIf(tag.place);
    if (name == "for") return ParseFor(tag.place);
    if (name == "set") return ParseSet(tag.place);
    if (name == "macro") return ParseMacro(tag.place);
    if (name == "call") return ParseCall(tag.place);
    if (name == "with") return ParseWith(tag.place);
    if (name == "filter") return ParseFilterBlock(tag.place);
    if (name == "generation") return ParseGeneration(tag.place);
    if (name == "print") return ParsePrint(tag.place);
    if (name == "break" || name == "continue") {
      if (loops_ == 0) in_.Fail(tag.place, fmt::format("'{}' outside of a for block", name));
      return Make(name == "break" ? Tag::kBreak : Tag::kContinue, tag.place);
    }
    for (const char* known : {"include", "import", "from", "extends", "block", "autoescape"}) {
      if (name == known) {
        in_.Fail(tag.place, fmt::format("the tag '{}' is not supported in chat templates", name));
      }
    }
    if (IsEndTag(name)) in_.Fail(tag.place, fmt::format("'{}' has no block to end here", name));
    in_.Fail(tag.place, fmt::format("there is no tag '{}'", name));
  }

  Statement ParsePrint(Place place) {
    Statement print = Make(Tag::kPrint, place);
    print.expression = in_.ParseTuple();
    if (print.expression->kind == Expression::Kind::kTuple) {
      in_.Fail(place, "'print' of several expressions is not supported");
    }
    return print;
  }

  Statement ParseIf(Place place) {
    Statement statement = Make(Tag::kIf, place);
    std::string end = "elif";
    while (end == "elif") {
      Branch branch;
      branch.condition = in_.ParseTuple(/*with_if_else=*/false);
      branch.body = ParseBlock({"elif", "else", "endif"});
      statement.branches.push_back(std::move(branch));
      end = in_.Take().text;
    }
    if (end == "else") {
      statement.otherwise = ParseBlock({"endif"});
      in_.Take();
    }
    return statement;
  }

  Statement ParseFor(Place place) {
    Statement loop = Make(Tag::kFor, place);
    loop.target = in_.ParseTarget(/*with_tuple=*/true, /*with_attribute=*/false);
    if (loop.target.name == "loop") in_.Fail(place, "cannot assign to 'loop' in a for block");
    if (!in_.TakeName("in")) in_.FailHere("'in'");
    loop.expression = in_.ParseTuple(/*with_if_else=*/false);
    if (in_.TakeName("if")) loop.condition = in_.ParseExpression();
    loop.recursive = in_.TakeName("recursive");
    ++loops_;
    loop.body = ParseBlock({"else", "endfor"});
    --loops_;
    if (in_.Take().text == "else") {
      loop.otherwise = ParseBlock({"endfor"});
      in_.Take();
    }
    return loop;
  }

  Statement ParseSet(Place place) {
    Statement set = Make(Tag::kSet, place);
    set.target = in_.ParseTarget(/*with_tuple=*/true, /*with_attribute=*/true);
    if (in_.TakeOperator("=")) {
      set.expression = in_.ParseTuple();
      return set;
    }
    set.kind = Tag::kSetBlock;
    if (in_.TakeOperator("|")) set.expression = in_.ParseFilters({}, /*of_block=*/true);
    set.body = ParseBlock({"endset"});
    in_.Take();
    return set;
  }

  Statement ParseWith(Place place) {
    Statement with = Make(Tag::kWith, place);
    while (in_.current().kind != TokenKind::kBlockEnd) {
      if (!with.assignments.empty()) in_.ExpectOperator(",");
      Target target = in_.ParseTarget(/*with_tuple=*/false, /*with_attribute=*/false);
      in_.ExpectOperator("=");
      with.assignments.emplace_back(std::move(target), in_.ParseExpression());
    }
    with.body = ParseBlock({"endwith"});
    in_.Take();
    return with;
  }

  // (a, b=1) of a macro or call block.
  std::vector<Parameter> ParseParameters() {
    std::vector<Parameter> parameters;
    in_.ExpectOperator("(");
    while (!in_.AtOperator(")")) {
      if (!parameters.empty()) in_.ExpectOperator(",");
      Parameter parameter;
      const Place place = in_.current().place;
      parameter.name = in_.ParseVariableName();
      if (in_.TakeOperator("=")) {
        parameter.fallback = in_.ParseExpression();
      } else if (!parameters.empty() && parameters.back().fallback) {
        in_.Fail(place, "a parameter without a default after one that has it");
      }
      parameters.push_back(std::move(parameter));
    }
    in_.Take();
    return parameters;
  }

  // The body of what is called like a function: loops around it are out of reach for break.
  void ParseFunctionBody(Statement* function, EndTags ends) {
    const int loops = std::exchange(loops_, 0);
    const ExpressionParser::Special outside = std::exchange(in_.special, {});
    function->body = ParseBlock(ends);
    in_.Take();
    function->uses_caller = in_.special.caller;
    function->uses_kwargs = in_.special.kwargs;
    function->uses_varargs = in_.special.varargs;
    in_.special.caller |= outside.caller;
    in_.special.kwargs |= outside.kwargs;
    in_.special.varargs |= outside.varargs;
    loops_ = loops;
  }

  Statement ParseMacro(Place place) {
    Statement macro = Make(Tag::kMacro, place);
    macro.text = in_.Expect(TokenKind::kName).text;
    macro.parameters = ParseParameters();
    ParseFunctionBody(&macro, {"endmacro"});
    return macro;
  }

  Statement ParseCall(Place place) {
    Statement call = Make(Tag::kCall, place);
    call.text = "caller";
    if (in_.AtOperator("(")) call.parameters = ParseParameters();
    const Place at = in_.current().place;
    call.expression = in_.ParseExpression();
    if (call.expression->kind != Expression::Kind::kCall) in_.Fail(at, "expected a call");
    ParseFunctionBody(&call, {"endcall"});
    return call;
  }

  Statement ParseFilterBlock(Place place) {
    Statement filter = Make(Tag::kFilterBlock, place);
    filter.expression = in_.ParseFilters({}, /*of_block=*/true);
    filter.body = ParseBlock({"endfilter"});
    in_.Take();
    return filter;
  }

  Statement ParseGeneration(Place place) {
    Statement generation = Make(Tag::kGeneration, place);
    ParseFunctionBody(&generation, {"endgeneration"});
    return generation;
  }

  ExpressionParser in_;
  int loops_ = 0;  // for blocks around the cursor
};

// Filters and tests must be known where they are certain to be reached. In a branch they may be
// asked for only where they exist ("if 'x' is filter"), and fail when they are reached.
void CheckNames(const Expression& expression, bool in_branch) {
  const bool filter = expression.kind == Expression::Kind::kFilter ||
                      expression.kind == Expression::Kind::kFilterBlock;
  const bool test = expression.kind == Expression::Kind::kTest;
  if (!in_branch && filter && expression.filter == nullptr) {
    throw PlacedFailure(expression.place, UnknownFilter(expression.name));
  }
  if (!in_branch && test && expression.test == nullptr) {
    throw PlacedFailure(expression.place, UnknownTest(expression.name));
  }
  in_branch |= expression.kind == Expression::Kind::kIfElse;
  for (const Expression& child : expression.children) CheckNames(child, in_branch);
  for (const Keyword& keyword : expression.keywords) CheckNames(keyword.value, in_branch);
}

void CheckNames(const Body& body, bool in_branch) {
  for (const Statement& statement : body) {
    const bool inside = in_branch || statement.kind == Tag::kIf;
    if (statement.expression) CheckNames(*statement.expression, inside);
    if (statement.condition) CheckNames(*statement.condition, inside);
    for (const Branch& branch : statement.branches) {
      CheckNames(branch.condition, inside);
      CheckNames(branch.body, inside);
    }
    for (const auto& [target, value] : statement.assignments) CheckNames(value, inside);
    for (const Parameter& parameter : statement.parameters) {
      if (parameter.fallback) CheckNames(*parameter.fallback, inside);
    }
    CheckNames(statement.body, inside);
    CheckNames(statement.otherwise, inside);
  }
}

}  // namespace

Body ParseTemplate(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    throw PlacedFailure(
        {}, fmt::format("the template has {} bytes, more than {}", source.size(), kMaxSourceBytes));
  }
  Body body = Parser(source).Run();
  CheckNames(body, /*in_branch=*/false);
  return body;
}

}  // namespace hone::jinja
