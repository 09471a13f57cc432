#include "policy/text/jinja/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include "policy/text/jinja/ast.h"
#include "policy/text/jinja/format.h"
#include "policy/text/jinja/methods.h"
#include "policy/text/jinja/python_text.h"

namespace hone::jinja {
namespace {

void CheckDepth(int depth) {
  if (depth > kMaxValueDepth) {
    throw Failure(fmt::format("values nested deeper than {} levels", kMaxValueDepth));
  }
}

[[noreturn]] void FailOperands(std::string_view sign, const Value& left, const Value& right) {
  throw Failure(
      fmt::format("'{}' does not go between a {} and a {}", sign, TypeName(left), TypeName(right)));
}

// Exact also where an integer has more digits than a double.
long double Exact(const Value& value) {
  return value.Is(Kind::kFloat) ? static_cast<long double>(value.real)
                                : static_cast<long double>(*AsInt(value));
}

bool IsSequence(const Value& value) { return value.Is(Kind::kList) || value.Is(Kind::kTuple); }

int64_t Checked(bool overflow, int64_t result) {
  if (overflow) throw Failure("an integer beyond 64 bits");
  return result;
}

Value AddInts(int64_t a, int64_t b) {
  int64_t result = 0;
  const bool overflow = __builtin_add_overflow(a, b, &result);
  return Int(Checked(overflow, result));
}
Value SubtractInts(int64_t a, int64_t b) {
  int64_t result = 0;
  const bool overflow = __builtin_sub_overflow(a, b, &result);
  return Int(Checked(overflow, result));
}
int64_t MultiplyInts(int64_t a, int64_t b) {
  int64_t result = 0;
  const bool overflow = __builtin_mul_overflow(a, b, &result);
  return Checked(overflow, result);
}

[[noreturn]] void FailZero() { throw Failure("division by zero"); }

Value FloorDivideInts(int64_t a, int64_t b) {
  if (b == 0) FailZero();
  if (b == -1) return SubtractInts(0, a);
  return Int(a / b - (a % b != 0 && (a < 0) != (b < 0)));
}
Value ModuloInts(int64_t a, int64_t b) {
  if (b == 0) FailZero();
  if (b == -1) return Int(0);
  const int64_t rest = a % b;
  return Int(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
}
double ModuloFloats(double a, double b) {
  if (b == 0) FailZero();
  double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  if ((rest < 0) != (b < 0)) rest += b;
  return rest;
}
double FloorDivideFloats(double a, double b) {
  const double rest = ModuloFloats(a, b);
  const double quotient = (a - rest) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

Value PowerInts(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) FailZero();
    return Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if (exponent & 1) result = MultiplyInts(result, base);
    exponent >>= 1;
    if (exponent > 0) base = MultiplyInts(base, base);
  }
  return Int(result);
}

Value ComputeFloats(Operator operation, double a, double b) {
  switch (operation) {
    case Operator::kAdd:
      return Float(a + b);
    case Operator::kSubtract:
      return Float(a - b);
    case Operator::kMultiply:
      return Float(a * b);
    case Operator::kDivide:
      if (b == 0) FailZero();
      return Float(a / b);
    case Operator::kFloorDivide:
      return Float(FloorDivideFloats(a, b));
    case Operator::kModulo:
      return Float(ModuloFloats(a, b));
    default: {
      if (a == 0 && b < 0) FailZero();
      const double power = std::pow(a, b);
      const bool is_complex = a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b);
      if (is_complex) throw Failure("a root of a negative number");
      if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
        throw Failure("a power too large for a float");
      }
      return Float(power);
    }
  }
}

Value ComputeInts(Operator operation, int64_t a, int64_t b) {
  switch (operation) {
    case Operator::kAdd:
      return AddInts(a, b);
    case Operator::kSubtract:
      return SubtractInts(a, b);
    case Operator::kMultiply:
      return Int(MultiplyInts(a, b));
    case Operator::kFloorDivide:
      return FloorDivideInts(a, b);
    case Operator::kModulo:
      return ModuloInts(a, b);
    case Operator::kPower:
      return PowerInts(a, b);
    default:
      return ComputeFloats(operation, static_cast<double>(a), static_cast<double>(b));
  }
}

Value AddTexts(Heap& heap, const Value& left, const Value& right) {
  const bool markup = left.markup || right.markup;
  std::string text;
  for (const Value* part : {&left, &right}) {
    text += markup && !part->markup ? EscapeHtml(part->text()) : std::string(part->text());
  }
  Value result = KeepText(heap, text);
  result.markup = markup;
  return result;
}

Value AddSequences(Heap& heap, const Value& left, const Value& right) {
  const std::span<Value> items = heap.Array<Value>(left.size + right.size);
  std::copy(left.list().begin(), left.list().end(), items.begin());
  std::copy(right.list().begin(), right.list().end(), items.begin() + left.size);
  return left.Is(Kind::kTuple) ? Tuple(items) : List(items);
}

Value Repeat(Heap& heap, const Value& value, int64_t times) {
  const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
  if (value.size > 0 && count > kMaxHeapBytes / value.size) {
    throw Failure(fmt::format("a {} of {} repeated {} times is too large", TypeName(value),
                              value.size, times));
  }
  heap.Read(value.size * count);
  if (value.Is(Kind::kString)) {
    const std::span<char> bytes = heap.Array<char>(value.size * count);
    for (size_t i = 0; i < count; ++i) {
      std::copy_n(value.bytes, value.size, bytes.begin() + i * value.size);
    }
    Value text = Text({bytes.data(), bytes.size()});
    text.markup = value.markup;
    return text;
  }
  const std::span<Value> items = heap.Array<Value>(value.size * count);
  for (size_t i = 0; i < count; ++i) {
    std::copy_n(value.items, value.size, items.begin() + i * value.size);
  }
  return value.Is(Kind::kTuple) ? Tuple(items) : List(items);
}

bool CanRepeat(const Value& value) { return value.Is(Kind::kString) || IsSequence(value); }

std::string_view Sign(Operator operation) {
  static constexpr std::string_view kSigns[] = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSigns[static_cast<int>(operation)];
}

bool EqualSequences(Heap& heap, const Value& left, const Value& right, int depth) {
  if (left.size != right.size) return false;
  for (size_t i = 0; i < left.size; ++i) {
    if (!Equal(heap, left.items[i], right.items[i], depth + 1)) return false;
  }
  return true;
}

bool EqualDicts(Heap& heap, const Dict& left, const Dict& right, int depth) {
  if (left.entries.size() != right.entries.size()) return false;
  for (const Entry& entry : left.entries) {
    const Value* other = right.Find(heap, entry.key);
    if (other == nullptr || !Equal(heap, entry.value, *other, depth + 1)) return false;
  }
  return true;
}

}  // namespace

bool Equal(Heap& heap, const Value& left, const Value& right, int depth) {
  CheckDepth(depth);
  heap.Step();
  if (IsNumber(left) && IsNumber(right)) return Exact(left) == Exact(right);
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      heap.Read(std::min(left.size, right.size));
      return left.text() == right.text();
    case Kind::kList:
    case Kind::kTuple:
      return EqualSequences(heap, left, right, depth);
    case Kind::kDict:
      return EqualDicts(heap, *left.dict, *right.dict, depth);
    case Kind::kRange: {
      const auto a = left.iterable->items, b = right.iterable->items;
      return EqualSequences(heap, List(a), List(b), depth);
    }
    case Kind::kBuiltin:
      return left.builtin == right.builtin;
    default:
      return left.undefined == right.undefined;  // the same object
  }
}

bool Less(Heap& heap, const Value& left, const Value& right, int depth) {
  CheckDepth(depth);
  heap.Step();
  NeedDefined(left);
  NeedDefined(right);
  if (IsNumber(left) && IsNumber(right)) return Exact(left) < Exact(right);
  if (left.Is(Kind::kString) && right.Is(Kind::kString)) {
    heap.Read(std::min(left.size, right.size));
    return left.text() < right.text();  // UTF-8 sorts as its code points
  }
  if (left.kind != right.kind || !IsSequence(left)) FailOperands("<", left, right);
  for (size_t i = 0; i < std::min(left.size, right.size); ++i) {
    if (!Equal(heap, left.items[i], right.items[i], depth + 1)) {
      return Less(heap, left.items[i], right.items[i], depth + 1);
    }
  }
  return left.size < right.size;
}

bool Contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind) {
    case Kind::kString:
      if (!item.Is(Kind::kString)) FailOperands("in", item, container);
      return FindText(heap, container.text(), item.text()) != std::string_view::npos;
    case Kind::kDict:
      return container.dict->Find(heap, item) != nullptr;
    case Kind::kNamespace:
    case Kind::kLoop:
      FailOperands("in", item, container);
    default:
      for (const Value& other : Iterate(heap, container)) {
        if (Equal(heap, other, item)) return true;
      }
      return false;
  }
}

size_t Hash(Heap& heap, const Value& value, int depth) {
  CheckDepth(depth);
  heap.Step();
  // Spreads neighbouring integers and pointers over a table of a power of two.
  const auto mix = [](uint64_t bits) {
    bits *= 0x9e3779b97f4a7c15;
    return static_cast<size_t>(bits ^ (bits >> 32));
  };
  if (IsNumber(value)) {
    const double real = AsFloat(value);  // 1, 1.0 and true are one key
    return mix(std::hash<double>()(real));
  }
  switch (value.kind) {
    case Kind::kString:
      heap.Read(value.size);
      return mix(std::hash<std::string_view>()(value.text()));
    case Kind::kTuple: {
      uint64_t hash = value.size;
      for (const Value& item : value.list()) hash = hash * 31 + Hash(heap, item, depth + 1);
      return mix(hash);
    }
    case Kind::kList:
    case Kind::kDict:
    case Kind::kNamespace:
      throw Failure(fmt::format("a {} cannot be the key of a dict", TypeName(value)));
    case Kind::kUndefined:
      return mix(1);
    default:
      return mix(static_cast<uint64_t>(value.kind));
  }
}

Value Compute(Heap& heap, Operator operation, const Value& left, const Value& right) {
  NeedDefined(left);
  if (operation == Operator::kModulo && left.Is(Kind::kString)) {
    return FormatPercent(heap, left, right);
  }
  NeedDefined(right);
  const auto a = AsInt(left), b = AsInt(right);
  if (a && b) return ComputeInts(operation, *a, *b);
  if (IsNumber(left) && IsNumber(right)) {
    return ComputeFloats(operation, AsFloat(left), AsFloat(right));
  }
  if (operation == Operator::kAdd && left.kind == right.kind) {
    if (left.Is(Kind::kString)) return AddTexts(heap, left, right);
    if (IsSequence(left)) return AddSequences(heap, left, right);
  }
  if (operation == Operator::kMultiply) {
    if (CanRepeat(left) && b) return Repeat(heap, left, *b);
    if (CanRepeat(right) && a) return Repeat(heap, right, *a);
  }
  FailOperands(Sign(operation), left, right);
}

bool Compare(Heap& heap, Operator operation, const Value& left, const Value& right) {
  switch (operation) {
    case Operator::kEqual:
      return Equal(heap, left, right);
    case Operator::kNotEqual:
      return !Equal(heap, left, right);
    case Operator::kIn:
      return Contains(heap, right, left);
    case Operator::kNotIn:
      return !Contains(heap, right, left);
    case Operator::kLess:
      return Less(heap, left, right);
    case Operator::kGreater:
      return Less(heap, right, left);
    default: {
      // Not "not greater": of a NaN neither holds.
      const bool nan = (left.Is(Kind::kFloat) && std::isnan(left.real)) ||
                       (right.Is(Kind::kFloat) && std::isnan(right.real));
      const bool swapped =
          operation == Operator::kLessEqual ? Less(heap, right, left) : Less(heap, left, right);
      return !swapped && !nan;
    }
  }
}

Value Negative(const Value& value) {
  NeedDefined(value);
  if (const auto integer = AsInt(value)) return SubtractInts(0, *integer);
  if (value.Is(Kind::kFloat)) return Float(-value.real);
  throw Failure(fmt::format("'-' does not go before a {}", TypeName(value)));
}

Value Positive(const Value& value) {
  NeedDefined(value);
  if (const auto integer = AsInt(value)) return Int(*integer);
  if (value.Is(Kind::kFloat)) return value;
  throw Failure(fmt::format("'+' does not go before a {}", TypeName(value)));
}

Value GetAttribute(Heap& heap, const Value& value, std::string_view name) {
  if (name.starts_with("__") && name.ends_with("__")) return ForbiddenAttribute(heap, value, name);
  NeedDefined(value);
  switch (FindMethod(value, name)) {
    case MethodAccess::kOpen: {
      Value method;
      method.kind = Kind::kMethod;
      method.method = heap.New<Method>({value, name});
      return method;
    }
    case MethodAccess::kForbidden:
      return ForbiddenAttribute(heap, value, name);
    case MethodAccess::kNone:
      break;
  }
  if (value.Is(Kind::kDict)) {
    if (const Value* found = value.dict->Find(heap, name)) return *found;
  }
  if (value.Is(Kind::kNamespace)) {
    heap.Step(1 + value.space->attributes.size / 16);
    if (const Value* found = value.space->attributes.Find(name)) return *found;
  }
  if (value.Is(Kind::kLoop)) {
    if (const auto found = LoopAttribute(heap, *value.loop, name)) return *found;
  }
  return UndefinedAttribute(heap, value, name);
}

Value GetItem(Heap& heap, const Value& value, const Value& key) {
  NeedDefined(value);
  const auto index = AsInt(key);
  if (value.Is(Kind::kDict) && !key.Is(Kind::kList) && !key.Is(Kind::kDict) &&
      !key.Is(Kind::kNamespace)) {
    if (const Value* found = value.dict->Find(heap, key)) return *found;
  } else if ((IsSequence(value) || value.Is(Kind::kRange)) && index) {
    const std::span<const Value> items =
        value.Is(Kind::kRange) ? value.iterable->items : value.list();
    const auto size = static_cast<int64_t>(items.size());
    const int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) return items[static_cast<size_t>(at)];
  } else if (value.Is(Kind::kString) && index) {
    const auto size = static_cast<int64_t>(CountCodePoints(heap, value.text()));
    const int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) {
      const std::string_view rest =
          value.text().substr(ByteOf(value.text(), static_cast<size_t>(at)));
      Value letter = Text(rest.substr(0, ByteOf(rest, 1)));
      letter.markup = value.markup;
      return letter;
    }
  } else if (value.Is(Kind::kNamespace) && key.Is(Kind::kString)) {
    return GetAttribute(heap, value, key.text());
  }
  if (key.Is(Kind::kString)) {
    // An attribute also answers to value['name'], but no item of a dict does so twice.
    if (!value.Is(Kind::kDict) || FindMethod(value, key.text()) != MethodAccess::kNone) {
      return GetAttribute(heap, value, key.text());
    }
    return UndefinedAttribute(heap, value, key.text());
  }
  return UndefinedAttribute(heap, value, index ? heap.Keep(std::to_string(*index)) : "?");
}

Value GetPath(Heap& heap, const Value& value, const Value& path) {
  if (!path.Is(Kind::kString)) return GetItem(heap, value, path);
  Value at = value;
  for (const std::string_view part : Split(heap, path.text(), ".", -1)) {
    int64_t index = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index =
        error == std::errc() && end == part.data() + part.size() && !part.starts_with('-');
    at = GetItem(heap, at, is_index ? Int(index) : Text(part));
  }
  return at;
}

namespace {
// Python's bounds of a slice: from the end when negative, cut to the size.
struct Bounds {
  int64_t begin, end, step, count;
};
std::optional<int64_t> Bound(const Value& value) {
  if (value.Is(Kind::kNone)) return std::nullopt;
  const auto bound = AsInt(value);
  if (!bound)
    throw Failure(fmt::format("expected an integer in a slice, found a {}", TypeName(value)));
  return bound;
}
Bounds CutBounds(int64_t size, const Value& first, const Value& last, const Value& by) {
  Bounds bounds{0, 0, Bound(by).value_or(1), 0};
  if (bounds.step == 0) throw Failure("a slice with a step of zero");
  const bool back = bounds.step < 0;
  const int64_t low = back ? -1 : 0, high = back ? size - 1 : size;
  const auto cut = [&](const Value& value, int64_t fallback) {
    const auto bound = Bound(value);
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + size : *bound, low, high);
  };
  bounds.begin = cut(first, back ? high : low);
  bounds.end = cut(last, back ? low : high);
  const int64_t span = back ? bounds.begin - bounds.end : bounds.end - bounds.begin;
  const uint64_t stride =
      back ? 0 - static_cast<uint64_t>(bounds.step) : static_cast<uint64_t>(bounds.step);
  if (span > 0) {
    bounds.count = static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / stride) + 1;
  }
  return bounds;
}
}  // namespace

Value Slice(Heap& heap, const Value& value, const Value& begin, const Value& end,
            const Value& step) {
  NeedDefined(value);
  std::span<const Value> items;
  if (value.Is(Kind::kString)) {
    items = Iterate(heap, value);
  } else if (IsSequence(value)) {
    items = value.list();
  } else if (value.Is(Kind::kRange)) {
    items = value.iterable->items;
  } else {
    throw Failure(fmt::format("a {} cannot be sliced", TypeName(value)));
  }
  const Bounds bounds = CutBounds(static_cast<int64_t>(items.size()), begin, end, step);
  heap.Step(static_cast<uint64_t>(bounds.count));
  if (value.Is(Kind::kString) && bounds.step == 1) {
    const auto at = [&](int64_t index) {
      return index == static_cast<int64_t>(items.size())
                 ? value.size
                 : static_cast<size_t>(items[static_cast<size_t>(index)].bytes - value.bytes);
    };
    Value text = Text(bounds.count == 0 ? std::string_view()
                                        : value.text().substr(at(bounds.begin),
                                                              at(bounds.end) - at(bounds.begin)));
    text.markup = value.markup;
    return text;
  }
  const std::span<Value> taken = heap.Array<Value>(static_cast<size_t>(bounds.count));
  for (int64_t i = 0; i < bounds.count; ++i) {
    taken[static_cast<size_t>(i)] = items[static_cast<size_t>(bounds.begin + i * bounds.step)];
  }
  if (value.Is(Kind::kRange)) {
    const Iterable& range = *value.iterable;
    const auto at = [&](int64_t index) {
      return AddInts(range.start, MultiplyInts(index, range.step)).integer;
    };
    return Range(heap, taken, at(bounds.begin), at(bounds.end),
                 MultiplyInts(range.step, bounds.step));
  }
  if (!value.Is(Kind::kString)) return value.Is(Kind::kTuple) ? Tuple(taken) : List(taken);
  std::string text;
  for (const Value& letter : taken) text += letter.text();
  return KeepText(heap, text);
}

int64_t Length(Heap& heap, const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(CountCodePoints(heap, value.text()));
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
      return static_cast<int64_t>(value.size);
    case Kind::kRange:
    case Kind::kView:
      return static_cast<int64_t>(value.iterable->items.size());
    case Kind::kLoop:
      return static_cast<int64_t>(value.loop->items.size());
    default:
      throw Failure(fmt::format("a {} has no length", TypeName(value)));
  }
}

}  // namespace hone::jinja
