// Filters that make numbers.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "policy/text/jinja/arguments.h"
#include "policy/text/jinja/ast.h"
#include "policy/text/jinja/filter_table.h"
#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/python_text.h"

namespace hone::jinja {
namespace {

// Python's literals may have single underscores between digits.
std::optional<std::string> Digits(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() && std::isalnum(text[i - 1]) != 0 &&
                         std::isalnum(text[i + 1]) != 0;
    if (!between) return std::nullopt;
  }
  return digits;
}

// int(text, base). Nothing for what is no integer; fails beyond 64 bits.
std::optional<int64_t> ParseInt(std::string_view text, int64_t base) {
  if (base < 0 || base == 1 || base > 36) return std::nullopt;
  const auto digits = Digits(RightStrip(LeftStrip(text)));
  if (!digits) return std::nullopt;
  std::string_view rest = *digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const std::string prefix = Lower(rest.substr(0, 2));
  const int64_t named = prefix == "0x" ? 16 : prefix == "0o" ? 8 : prefix == "0b" ? 2 : 0;
  if (named != 0 && (base == 0 || base == named)) rest.remove_prefix(2);
  if (base == 0) base = named != 0 ? named : 10;
  int64_t value = 0;
  if (rest.starts_with('-')) return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + std::string(rest);
  const char* last = signed_digits.data() + signed_digits.size();
  const auto [end, error] =
      std::from_chars(signed_digits.data(), last, value, static_cast<int>(base));
  if (error == std::errc::result_out_of_range) throw Failure("int: an integer beyond 64 bits");
  if (error != std::errc() || end != last) return std::nullopt;
  return value;
}

// float(text). Nothing for what is none.
std::optional<double> ParseFloat(std::string_view text) {
  const auto digits = Digits(RightStrip(LeftStrip(text)));
  if (!digits || digits->empty()) return std::nullopt;
  std::string_view rest = *digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.empty() || rest.starts_with('-') || rest.starts_with('+')) return std::nullopt;
  double value = 0;
  const char* last = rest.data() + rest.size();
  const auto [end, error] = std::from_chars(rest.data(), last, value);
  if (end != last || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    value = std::strtod(std::string(rest).c_str(), nullptr);
  return negative ? -value : value;
}

std::optional<int64_t> Truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::fabs(value) >= 0x1p63) throw Failure("int: an integer beyond 64 bits");
  return static_cast<int64_t>(value);
}

Value IntFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const Value fallback = bound.Or(0, Int(0));
  NeedDefined(value);
  std::optional<int64_t> integer;
  if (value.Is(Kind::kString)) {
    heap.Read(value.size);
    integer = ParseInt(value.text(), bound.Integer(1, 10));
    if (!integer) {
      if (const auto real = ParseFloat(value.text())) integer = Truncated(*real);
    }
  } else if (value.Is(Kind::kFloat)) {
    integer = Truncated(value.real);
  } else {
    integer = AsInt(value);
  }
  return integer ? Int(*integer) : fallback;
}

Value FloatFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  NeedDefined(value);
  if (IsNumber(value)) return Float(AsFloat(value));
  if (value.Is(Kind::kString)) {
    heap.Read(value.size);
    if (const auto real = ParseFloat(value.text())) return Float(*real);
  }
  return bound.Or(0, Float(0));
}

Value AbsFilter(Heap&, const Value& value, const Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  const Value positive = Positive(value);
  if (positive.Is(Kind::kFloat)) return Float(std::fabs(positive.real));
  return positive.integer < 0 ? Negative(positive) : positive;
}

Value RoundFilter(Heap&, const Value& value, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const int64_t precision = bound.Integer(0, 0);
  const std::string_view method = bound.String(1, "common");
  if (method != "common" && method != "ceil" && method != "floor") {
    throw Failure("round: expected 'common', 'ceil' or 'floor' as 'method'");
  }
  NeedDefined(value);
  if (!IsNumber(value))
    throw Failure(fmt::format("round takes a number, found a {}", TypeName(value)));
  if (precision < 0 || precision > 300) throw Failure("round: expected a precision from 0 to 300");
  if (method == "common") {
    if (AsInt(value)) return Int(*AsInt(value));
    char text[700];  // rounds the exact value, as Python does
    std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(precision), value.real);
    return std::isfinite(value.real) ? Float(std::strtod(text, nullptr)) : value;
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = AsFloat(value) * scale;
  if (!std::isfinite(scaled)) throw Failure("round: the number is too large");
  return Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value LengthFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("length", arguments, {});
  return Int(Length(heap, value));
}

Value SumFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Value sum = bound.Or(1, Int(0));
  if (sum.Is(Kind::kString)) throw Failure("sum does not add strings: use join");
  const Value path = bound.Or(0, None());
  for (const Value& item : Iterate(heap, value)) {
    sum =
        Compute(heap, Operator::kAdd, sum, path.Is(Kind::kNone) ? item : GetPath(heap, item, path));
  }
  return sum;
}

}  // namespace

void AddNumberFilters(FilterTable* table) {
  table->insert({{"int", IntFilter},
                 {"float", FloatFilter},
                 {"abs", AbsFilter},
                 {"round", RoundFilter},
                 {"length", LengthFilter},
                 {"count", LengthFilter},
                 {"sum", SumFilter}});
}

}  // namespace hone::jinja
