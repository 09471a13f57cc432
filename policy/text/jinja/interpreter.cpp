#include "policy/text/jinja/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/text/jinja/format.h"
#include "policy/text/jinja/functions.h"
#include "policy/text/jinja/methods.h"
#include "policy/text/jinja/operators.h"

namespace hone::jinja {

// Variables of a block with a scope of its own. An if block has none; what a for block, macro,
// with, filter or block set sets is gone behind it.
struct Scope {
  Bindings variables;
  Scope* parent = nullptr;
};

// A macro, or the caller of a call block; it sees what stood around its definition.
struct Macro {
  const Statement* definition = nullptr;
  Scope* scope = nullptr;
};

namespace {

enum class Flow : uint8_t { kNext, kBreak, kContinue };

// The arguments of one call, evaluated.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<Arguments::Named> named;
  Arguments view() const { return {positional, named}; }
};

class Interpreter {
 public:
  Interpreter(Heap& heap, const Bindings& variables, const std::optional<ChatDate>& date)
      : heap_(heap), date_(date) {
    root_.variables = variables;
  }

  std::string Run(const Body& body) {
    std::string text;
    out_ = &text;
    try {
      RunBody(body, NewScope(&root_));
    } catch (const PlacedFailure&) {
      throw;
    } catch (const Failure& failure) {
      throw PlacedFailure(place_, failure.what());
    }
    return text;
  }

 private:
  // Counts evaluations inside of each other.
  class Deeper {
   public:
    explicit Deeper(int* depth) : depth_(depth) {
      if (*depth >= kMaxDepth) {
        throw Failure(
            fmt::format("evaluations nested deeper than {} levels: does a macro call "
                        "itself without end?",
                        kMaxDepth));
      }
      ++*depth;
    }
    ~Deeper() { --*depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    int* depth_;
  };

  Scope* NewScope(Scope* parent) {
    Scope scope;
    scope.parent = parent;
    return heap_.New(scope);
  }

  Flow RunBody(const Body& body, Scope* scope) {
    for (const Statement& statement : body) {
      heap_.Step();
      const Flow flow = RunStatement(statement, scope);
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow RunStatement(const Statement& statement, Scope* scope) {
    const Deeper deeper(&depth_);
    place_ = statement.place;
    switch (statement.kind) {
      case Statement::Kind::kText:
        Print(Text(statement.text));
        return Flow::kNext;
      case Statement::Kind::kPrint: {
        const Value value = Evaluate(*statement.expression, scope);
        place_ = statement.place;
        Print(value);
        return Flow::kNext;
      }
      case Statement::Kind::kIf:
        for (const Branch& branch : statement.branches) {
          if (Truth(Evaluate(branch.condition, scope))) return RunBody(branch.body, scope);
        }
        return RunBody(statement.otherwise, scope);
      case Statement::Kind::kFor:
        return RunFor(statement, scope);
      case Statement::Kind::kSet: {
        const Value value = Evaluate(*statement.expression, scope);
        place_ = statement.place;
        Assign(statement.target, value, scope);
        return Flow::kNext;
      }
      case Statement::Kind::kWith:
        return RunWith(statement, scope);
      case Statement::Kind::kMacro:
        scope->variables.Set(heap_, statement.text, MacroValue(statement, scope));
        return Flow::kNext;
      case Statement::Kind::kCall:
        RunCall(statement, scope);
        return Flow::kNext;
      case Statement::Kind::kSetBlock:
      case Statement::Kind::kFilterBlock:
        return RunCaptured(statement, scope);
      case Statement::Kind::kGeneration:
        return RunBody(statement.body, NewScope(scope));
      case Statement::Kind::kBreak:
        return Flow::kBreak;
      case Statement::Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  void Print(const Value& value) {
    const size_t before = out_->size();
    AppendText(heap_, value, out_);
    heap_.Count(out_->size() - before);
  }

  // What `run` prints, as a value.
  template <class RunPart>
  Value Capture(RunPart run) {
    std::string text;
    std::string* outside = std::exchange(out_, &text);
    try {
      run();
    } catch (...) {
      out_ = outside;
      throw;
    }
    out_ = outside;
    return KeepText(heap_, text);
  }

  Flow RunFor(const Statement& loop, Scope* scope) {
    const Value value = Evaluate(*loop.expression, scope);
    place_ = loop.place;
    return RunLoop(loop, scope, Iterate(heap_, value), /*depth=*/1);
  }

  std::span<const Value> Filtered(const Statement& loop, Scope* scope,
                                  std::span<const Value> items) {
    std::vector<Value> kept;
    Scope* inner = NewScope(scope);
    for (const Value& item : items) {
      heap_.Step();
      inner->variables.size = 0;
      Assign(loop.target, item, inner);
      if (Truth(Evaluate(*loop.condition, inner))) kept.push_back(item);
    }
    return heap_.Keep(kept);
  }

  Flow RunLoop(const Statement& statement, Scope* scope, std::span<const Value> items, int depth) {
    if (statement.condition) items = Filtered(statement, scope, items);
    Value loop;
    loop.kind = Kind::kLoop;
    loop.loop = heap_.New<Loop>();
    loop.loop->items = items;
    loop.loop->depth = depth;
    loop.loop->statement = &statement;
    loop.loop->scope = scope;
    Scope* inner = NewScope(scope);
    bool completed = false;  // the body once to its end: as jinja2 has it, else runs without that
    for (size_t i = 0; i < items.size(); ++i) {
      heap_.Step();
      loop.loop->index = i;
      inner->variables.size = 0;
      inner->variables.Set(heap_, "loop", loop);
      place_ = statement.place;
      Assign(statement.target, items[i], inner);
      const Flow flow = RunBody(statement.body, inner);
      completed |= flow == Flow::kNext;
      if (flow == Flow::kBreak) break;
    }
    return completed ? Flow::kNext : RunBody(statement.otherwise, NewScope(scope));
  }

  Flow RunWith(const Statement& with, Scope* scope) {
    Scope* inner = NewScope(scope);
    for (const auto& [target, expression] : with.assignments) {
      Assign(target, Evaluate(expression, scope), inner);
    }
    return RunBody(with.body, inner);
  }

  // A block whose text is assigned or goes through a filter.
  Flow RunCaptured(const Statement& block, Scope* scope) {
    Scope* inner = NewScope(scope);
    Flow flow = Flow::kNext;
    Value text = Capture([&] { flow = RunBody(block.body, inner); });
    if (flow != Flow::kNext) return flow;
    if (block.expression) {
      block_text_ = text;
      text = Evaluate(*block.expression, inner);
    }
    place_ = block.place;
    if (block.kind == Statement::Kind::kSetBlock) {
      Assign(block.target, text, scope);
    } else {
      Print(text);
    }
    return flow;
  }

  void RunCall(const Statement& block, Scope* scope) {
    const Value caller = MacroValue(block, scope);
    const Value value = EvaluateCall(*block.expression, scope, &caller);
    place_ = block.place;
    Print(value);
  }

  Value MacroValue(const Statement& definition, Scope* scope) {
    Value value;
    value.kind = Kind::kMacro;
    value.macro = heap_.New<Macro>({&definition, scope});
    return value;
  }

  void Assign(const Target& target, const Value& value, Scope* scope) {
    if (target.is_tuple) {
      NeedDefined(value);
      const std::span<const Value> items = Iterate(heap_, value);
      if (items.size() != target.items.size()) {
        throw Failure(fmt::format("expected {} values to unpack, found {}", target.items.size(),
                                  items.size()));
      }
      for (size_t i = 0; i < items.size(); ++i) Assign(target.items[i], items[i], scope);
    } else if (target.attribute.empty()) {
      scope->variables.Set(heap_, target.name, value);
    } else {
      const Value space = Look(target.name, scope);
      if (!space.Is(Kind::kNamespace)) {
        throw Failure(fmt::format("'{}' is a {}: only a namespace's attributes can be set",
                                  target.name, TypeName(space)));
      }
      CheckNamespaceName(target.attribute);
      space.space->attributes.Set(heap_, target.attribute, value);
    }
  }

  Value Look(std::string_view name, Scope* scope) {
    for (; scope != nullptr; scope = scope->parent) {
      heap_.Step(1 + scope->variables.size / 16);
      if (const Value* found = scope->variables.Find(name)) return *found;
    }
    if (const auto builtin = FindBuiltin(name)) {
      Value value;
      value.kind = Kind::kBuiltin;
      value.builtin = *builtin;
      return value;
    }
    return UndefinedVariable(heap_, name);
  }

  Value Evaluate(const Expression& expression, Scope* scope) {
    using enum Expression::Kind;
    const Deeper deeper(&depth_);
    heap_.Step();
    switch (expression.kind) {
      case kLiteral:
        return Literal(expression);
      case kText:
        return Text(expression.name);
      case kName:
        return Look(expression.name, scope);
      case kList:
      case kTuple:
        return EvaluateSequence(expression, scope);
      case kDict:
        return EvaluateDict(expression, scope);
      case kAttribute:
        return EvaluateAttribute(expression, scope);
      case kItem:
      case kSlice:
        return EvaluateItem(expression, scope);
      case kCall:
        return EvaluateCall(expression, scope, nullptr);
      case kFilter:
      case kFilterBlock:
        return EvaluateFilter(expression, scope);
      case kTest:
        return EvaluateTest(expression, scope);
      case kConcat:
        return EvaluateConcat(expression, scope);
      case kCompare:
        return EvaluateCompare(expression, scope);
      default:
        return EvaluateOperator(expression, scope);
    }
  }

  static Value Literal(const Expression& expression) {
    if (const bool* boolean = std::get_if<bool>(&expression.literal)) return Bool(*boolean);
    if (const int64_t* integer = std::get_if<int64_t>(&expression.literal)) return Int(*integer);
    if (const double* real = std::get_if<double>(&expression.literal)) return Float(*real);
    return None();
  }

  Value EvaluateSequence(const Expression& expression, Scope* scope) {
    std::vector<Value> items;
    for (const Expression& child : expression.children) items.push_back(Evaluate(child, scope));
    const std::span<const Value> kept = heap_.Keep(items);
    return expression.kind == Expression::Kind::kTuple ? Tuple(kept) : List(kept);
  }

  Value EvaluateDict(const Expression& expression, Scope* scope) {
    std::vector<Entry> entries;
    for (size_t i = 0; i < expression.children.size(); i += 2) {
      const Value key = Evaluate(expression.children[i], scope);
      entries.push_back({key, Evaluate(expression.children[i + 1], scope)});
    }
    place_ = expression.place;
    return MakeDict(heap_, entries);
  }

  Value EvaluateAttribute(const Expression& expression, Scope* scope) {
    const Value owner = Evaluate(expression.children[0], scope);
    place_ = expression.place;
    return GetAttribute(heap_, owner, expression.name);
  }

  Value EvaluateItem(const Expression& expression, Scope* scope) {
    const Value owner = Evaluate(expression.children[0], scope);
    const Value first = Evaluate(expression.children[1], scope);
    if (expression.kind == Expression::Kind::kItem) {
      place_ = expression.place;
      return GetItem(heap_, owner, first);
    }
    const Value last = Evaluate(expression.children[2], scope);
    const Value step = Evaluate(expression.children[3], scope);
    place_ = expression.place;
    return Slice(heap_, owner, first, last, step);
  }

  Value EvaluateConcat(const Expression& expression, Scope* scope) {
    std::string text;
    for (const Expression& child : expression.children) {
      const Value part = Evaluate(child, scope);
      place_ = child.place;
      AppendText(heap_, part, &text);
    }
    return KeepText(heap_, text);
  }

  Value EvaluateCompare(const Expression& expression, Scope* scope) {
    Value left = Evaluate(expression.children[0], scope);
    for (size_t i = 0; i < expression.operators.size(); ++i) {
      const Value right = Evaluate(expression.children[i + 1], scope);
      place_ = expression.place;
      if (!Compare(heap_, expression.operators[i], left, right)) return Bool(false);
      left = right;
    }
    return Bool(true);
  }

  Value EvaluateOperator(const Expression& expression, Scope* scope) {
    using enum Expression::Kind;
    const Expression& first = expression.children[0];
    if (expression.kind == kIfElse) {
      const bool holds = Truth(Evaluate(expression.children[1], scope));
      if (holds) return Evaluate(first, scope);
      if (expression.children.size() == 3) return Evaluate(expression.children[2], scope);
      return UndefinedBecause(heap_, "the condition is false, and there is no 'else'");
    }
    const Value left = Evaluate(first, scope);
    switch (expression.kind) {
      case kAnd:
        return Truth(left) ? Evaluate(expression.children[1], scope) : left;
      case kOr:
        return Truth(left) ? left : Evaluate(expression.children[1], scope);
      case kNot:
        return Bool(!Truth(left));
      case kNegative:
        place_ = expression.place;
        return Negative(left);
      case kPositive:
        place_ = expression.place;
        return Positive(left);
      default: {
        const Value right = Evaluate(expression.children[1], scope);
        place_ = expression.place;
        return Compute(heap_, expression.operators[0], left, right);
      }
    }
  }

  // Of a call, filter or test: children[0] is what it is applied to, unless it is of a block.
  void EvaluateArguments(const Expression& call, Scope* scope, CallArguments* arguments) {
    const size_t first = call.kind == Expression::Kind::kFilterBlock ? 0 : 1;
    const size_t expanded = static_cast<size_t>(call.expands_list) + call.expands_dict;
    const size_t plain_end = call.children.size() - expanded;
    for (size_t i = first; i < plain_end; ++i) {
      arguments->positional.push_back(Evaluate(call.children[i], scope));
    }
    for (const Keyword& keyword : call.keywords) {
      arguments->named.push_back({keyword.name, Evaluate(keyword.value, scope)});
    }
    if (call.expands_list) {
      for (const Value& item : Iterate(heap_, Evaluate(call.children[plain_end], scope))) {
        arguments->positional.push_back(item);
      }
    }
    if (call.expands_dict) {
      const Value more = Evaluate(call.children.back(), scope);
      if (!more.Is(Kind::kDict)) throw Failure("expected a dict behind '**'");
      for (const Entry& entry : more.dict->entries) {
        if (!entry.key.Is(Kind::kString)) throw Failure("expected strings as names behind '**'");
        arguments->named.push_back({entry.key.text(), entry.value});
      }
    }
    heap_.Step(arguments->positional.size() + arguments->named.size());
  }

  Value EvaluateFilter(const Expression& expression, Scope* scope) {
    const Value value = expression.kind == Expression::Kind::kFilterBlock
                            ? block_text_
                            : Evaluate(expression.children[0], scope);
    CallArguments arguments;
    EvaluateArguments(expression, scope, &arguments);
    place_ = expression.place;
    if (expression.filter == nullptr) throw Failure(UnknownFilter(expression.name));
    return expression.filter(heap_, value, arguments.view());
  }

  Value EvaluateTest(const Expression& expression, Scope* scope) {
    const Value value = Evaluate(expression.children[0], scope);
    CallArguments arguments;
    EvaluateArguments(expression, scope, &arguments);
    place_ = expression.place;
    if (expression.test == nullptr) throw Failure(UnknownTest(expression.name));
    return Bool(expression.test(heap_, value, arguments.view()));
  }

  Value EvaluateCall(const Expression& expression, Scope* scope, const Value* caller) {
    const Value callee = Evaluate(expression.children[0], scope);
    CallArguments arguments;
    EvaluateArguments(expression, scope, &arguments);
    if (caller != nullptr) arguments.named.push_back({"caller", *caller});
    place_ = expression.place;
    switch (callee.kind) {
      case Kind::kMacro:
        return CallMacro(*callee.macro, arguments.view());
      case Kind::kMethod:
        return CallMethod(heap_, *callee.method, arguments.view());
      case Kind::kBuiltin:
        return CallBuiltin(heap_, callee.builtin, date_, arguments.view());
      case Kind::kLoop:
        return CallLoop(*callee.loop, arguments.view());
      default:
        NeedDefined(callee);
        throw Failure(fmt::format("a {} cannot be called", TypeName(callee)));
    }
  }

  // loop(items): the same for block over other items.
  Value CallLoop(const Loop& loop, const Arguments& arguments) {
    const auto& statement = *static_cast<const Statement*>(loop.statement);
    if (!statement.recursive) {
      throw Failure("a loop can be called only with 'recursive' in its for block");
    }
    if (arguments.positional.size() != 1 || !arguments.named.empty()) {
      throw Failure("a loop is called with one list");
    }
    const std::span<const Value> items = Iterate(heap_, arguments.positional[0]);
    return Capture(
        [&] { RunLoop(statement, static_cast<Scope*>(loop.scope), items, loop.depth + 1); });
  }

  Value CallMacro(const Macro& macro, const Arguments& arguments) {
    const Statement& definition = *macro.definition;
    Scope* scope = NewScope(macro.scope);
    BindParameters(definition, arguments, scope);
    return Capture([&] { RunBody(definition.body, scope); });
  }

  void BindParameters(const Statement& macro, const Arguments& arguments, Scope* scope) {
    std::vector<bool> used(arguments.named.size());
    const auto take_named = [&](std::string_view name) -> const Value* {
      const Value* found = nullptr;
      for (size_t i = 0; i < used.size(); ++i) {
        if (arguments.named[i].name != name) continue;
        found = &arguments.named[i].value;
        used[i] = true;
      }
      return found;
    };
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
      const Parameter& parameter = macro.parameters[i];
      if (i < arguments.positional.size()) {
        scope->variables.Set(heap_, parameter.name, arguments.positional[i]);
      } else if (const Value* named = take_named(parameter.name)) {
        scope->variables.Set(heap_, parameter.name, *named);
      } else if (parameter.fallback) {
        scope->variables.Set(heap_, parameter.name, Evaluate(*parameter.fallback, scope));
      } else {
        scope->variables.Set(heap_, parameter.name, UndefinedVariable(heap_, parameter.name));
      }
    }
    if (macro.uses_caller && macro.kind == Statement::Kind::kMacro) {
      const Value* caller = take_named("caller");
      scope->variables.Set(heap_, "caller",
                           caller != nullptr ? *caller : UndefinedVariable(heap_, "caller"));
    }
    BindRest(macro, arguments, used, scope);
  }

  // Arguments that no parameter took: varargs and kwargs, when the macro names them.
  void BindRest(const Statement& macro, const Arguments& arguments, const std::vector<bool>& used,
                Scope* scope) {
    std::vector<Entry> rest;
    for (size_t i = 0; i < used.size(); ++i) {
      const auto& [name, value] = arguments.named[i];
      if (!used[i]) rest.push_back({Text(name), value});
    }
    if (macro.uses_kwargs) {
      scope->variables.Set(heap_, "kwargs", MakeDict(heap_, rest));
    } else if (!rest.empty()) {
      throw Failure(fmt::format("the macro '{}' takes no argument '{}'", macro.text,
                                rest.front().key.text()));
    }
    const size_t taken = std::min(macro.parameters.size(), arguments.positional.size());
    const std::span<const Value> more = arguments.positional.subspan(taken);
    if (macro.uses_varargs) {
      const std::vector<Value> values(more.begin(), more.end());
      scope->variables.Set(heap_, "varargs", Tuple(heap_.Keep(values)));
    } else if (!more.empty()) {
      throw Failure(fmt::format("the macro '{}' takes {} arguments, {} were given", macro.text,
                                macro.parameters.size(), arguments.positional.size()));
    }
  }

  Heap& heap_;
  const std::optional<ChatDate>& date_;
  Scope root_;
  std::string* out_ = nullptr;
  Value block_text_;
  Place place_;
  int depth_ = 0;
};

}  // namespace

std::optional<std::string_view> MacroName(const Macro& macro) {
  if (macro.definition->kind != Statement::Kind::kMacro) return std::nullopt;
  return macro.definition->text;
}

std::string RunTemplate(Heap& heap, const Body& body, const Bindings& variables,
                        const std::optional<ChatDate>& date) {
  return Interpreter(heap, variables, date).Run(body);
}

}  // namespace hone::jinja
