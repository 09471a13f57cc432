// Python's formatting: the % operator and str.format.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "policy/text/jinja/format.h"
#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/python_text.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {

// What stands between a % or : and the type's letter.
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > ^ =
  char sign = '-';
  bool alternate = false, zero = false;
  int64_t width = 0, precision = -1;
  char grouping = 0;  // , or _
  char type = 0;
};
constexpr int64_t kMaxWidth = 10'000, kMaxPrecision = 300;

// A cursor over a format.
struct Reader {
  std::string_view text;
  size_t at = 0;
  bool done() const { return at == text.size(); }
  char peek() const { return done() ? '\0' : text[at]; }
  bool Take(char c) { return peek() == c && !done() && (++at, true); }
  int64_t Number(int64_t most) {
    int64_t number = 0;
    while (peek() >= '0' && peek() <= '9') {
      number = number * 10 + (text[at++] - '0');
      if (number > most) throw Failure(fmt::format("a width or precision beyond {}", most));
    }
    return number;
  }
};

std::string Pad(Heap& heap, const std::string& sign, std::string body, const Spec& spec,
                char default_align) {
  const auto size = static_cast<int64_t>(sign.size() + CountCodePoints(heap, body));
  if (size >= spec.width) return sign + body;
  const int64_t missing = spec.width - size;
  const char align = spec.align != 0 ? spec.align : default_align;
  const int64_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string left, right;
  for (int64_t i = 0; i < missing; ++i) (i < before ? left : right) += spec.fill;
  return align == '=' ? sign + left + body : left + sign + body + right;
}

std::string SignOf(bool negative, const Spec& spec) {
  if (negative) return "-";
  return spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
}

void Group(std::string* digits, char separator) {
  size_t end = digits->find_first_not_of("0123456789");
  if (end == std::string::npos) end = digits->size();
  for (size_t at = end; at > 3; at -= 3) digits->insert(at - 3, 1, separator);
}

std::string FormatInteger(Heap& heap, int64_t value, const Spec& spec) {
  const uint64_t magnitude =
      value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string digits, prefix;
  switch (spec.type) {
    case 'x':
    case 'X':
      digits = fmt::format("{:x}", magnitude);
      prefix = spec.type == 'x' ? "0x" : "0X";
      if (spec.type == 'X') digits = Upper(digits);
      break;
    case 'o':
      digits = fmt::format("{:o}", magnitude);
      prefix = "0o";
      break;
    case 'b':
      digits = fmt::format("{:b}", magnitude);
      prefix = "0b";
      break;
    default:
      digits = std::to_string(magnitude);
  }
  while (spec.precision > static_cast<int64_t>(digits.size())) digits.insert(0, "0");
  if (spec.grouping != 0) Group(&digits, spec.grouping);
  return Pad(heap, SignOf(value < 0, spec) + (spec.alternate ? prefix : ""), digits, spec, '>');
}

std::string FormatReal(Heap& heap, double value, const Spec& spec) {
  const bool percent = spec.type == '%';
  const char type = percent ? 'f' : spec.type == 0 ? 'g' : spec.type;
  const auto precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
  char text[700];
  const std::string pattern = std::string(spec.alternate ? "%#.*" : "%.*") + type;
  std::snprintf(text, sizeof(text), pattern.c_str(), precision,
                std::fabs(percent ? value * 100 : value));
  std::string body = spec.type == 0 && spec.precision < 0 ? FloatRepr(std::fabs(value)) : text;
  if (spec.grouping != 0) Group(&body, spec.grouping);
  if (percent) body += '%';
  return Pad(heap, SignOf(std::signbit(value) && !std::isnan(value), spec), body, spec, '>');
}

std::string FormatString(Heap& heap, std::string_view text, const Spec& spec) {
  if (spec.precision >= 0) text = text.substr(0, ByteOf(text, static_cast<size_t>(spec.precision)));
  return Pad(heap, "", std::string(text), spec, '<');
}

// One conversion of a % format.
class PercentFormat {
 public:
  PercentFormat(Heap& heap, const Value& format, const Value& values)
      : heap_(heap), format_(format), values_(values), reader_{format.text()} {
    if (values.Is(Kind::kTuple)) {
      positional_ = values.list();
    } else {
      positional_ = {&values_, 1};
    }
  }

  std::string Run() {
    while (!reader_.done()) {
      const size_t percent = std::min(reader_.text.find('%', reader_.at), reader_.text.size());
      out_ += reader_.text.substr(reader_.at, percent - reader_.at);
      reader_.at = percent;
      if (!reader_.done()) {
        ++reader_.at;
        Convert();
      }
    }
    const bool mapping = values_.Is(Kind::kDict) || values_.Is(Kind::kList) ||
                         values_.Is(Kind::kRange) || values_.Is(Kind::kUndefined);
    if (next_ < positional_.size() && !mapping) {
      throw Failure("a format with '%' has more values than places");
    }
    return std::move(out_);
  }

 private:
  const Value& Next() {
    if (next_ == positional_.size()) throw Failure("a format with '%' has too few values");
    return positional_[next_++];
  }

  int64_t StarOrNumber(int64_t most) {
    if (!reader_.Take('*')) return reader_.Number(most);
    const auto number = AsInt(Next());
    if (!number || *number > most || *number < -most) throw Failure("a bad width for '*'");
    return *number;
  }

  void Convert() {
    Spec spec;
    spec.align = '>';
    std::optional<Value> named;
    if (reader_.Take('(')) {
      const size_t end = reader_.text.find(')', reader_.at);
      if (end == std::string_view::npos) throw Failure("a '%(' without ')'");
      const std::string_view name = reader_.text.substr(reader_.at, end - reader_.at);
      reader_.at = end + 1;
      if (!values_.Is(Kind::kDict)) throw Failure("a format with names needs a dict");
      const Value* found = values_.dict->Find(heap_, name);
      if (found == nullptr) throw Failure(fmt::format("a format without a value for '{}'", name));
      named = *found;
    }
    for (bool flag = true; flag;) {
      switch (reader_.peek()) {
        case '-':
          spec.align = '<';
          break;
        case '+':
          spec.sign = '+';
          break;
        case ' ':
          if (spec.sign != '+') spec.sign = ' ';
          break;
        case '#':
          spec.alternate = true;
          break;
        case '0':
          spec.zero = true;
          break;
        default:
          flag = false;
      }
      reader_.at += flag;
    }
    spec.width = StarOrNumber(kMaxWidth);
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
    if (reader_.Take('.')) spec.precision = std::max<int64_t>(0, StarOrNumber(kMaxPrecision));
    while (reader_.Take('l') || reader_.Take('h') || reader_.Take('L')) {
    }
    if (reader_.done()) throw Failure("a format that ends within a '%'");
    spec.type = reader_.text[reader_.at++];
    if (spec.type == '%') {
      out_ += '%';
      return;
    }
    out_ += Converted(named ? *named : Next(), spec);
    if (out_.size() > kMaxOutputBytes) throw Failure("a formatted text that is too large");
  }

  std::string Converted(const Value& value, Spec spec) {
    const auto with_zeros = [&] {
      if (spec.zero && spec.align == '>') {
        spec.fill = "0";
        spec.align = '=';
      }
      return spec;
    };
    std::string text;
    switch (spec.type) {
      case 's':
        text = ToText(heap_, value);
        if (format_.markup && !value.markup) text = EscapeHtml(text);
        return FormatString(heap_, text, spec);
      case 'r':
        AppendRepr(heap_, value, &text);
        return FormatString(heap_, text, spec);
      case 'c':
        if (value.Is(Kind::kString) && CountCodePoints(heap_, value.text()) == 1) {
          return FormatString(heap_, value.text(), spec);
        }
        break;
      case 'd':
      case 'i':
      case 'u':
        if (value.Is(Kind::kFloat) && std::fabs(value.real) < 9e18) {
          return FormatInteger(heap_, static_cast<int64_t>(value.real), with_zeros());
        }
        if (AsInt(value)) return FormatInteger(heap_, *AsInt(value), with_zeros());
        break;
      case 'x':
      case 'X':
      case 'o':
        if (AsInt(value)) return FormatInteger(heap_, *AsInt(value), with_zeros());
        break;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (IsNumber(value)) return FormatReal(heap_, AsFloat(value), with_zeros());
        break;
      default:
        throw Failure(fmt::format("a format has no conversion '%{}'", spec.type));
    }
    NeedDefined(value);
    throw Failure(fmt::format("'%{}' does not take a {}", spec.type, TypeName(value)));
  }

  Heap& heap_;
  const Value& format_;
  const Value& values_;
  Reader reader_;
  std::span<const Value> positional_;
  size_t next_ = 0;
  std::string out_;
};

Spec ParseSpec(std::string_view text) {
  Spec spec;
  Reader reader{text};
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!text.empty()) {
    size_t second = 0;
    NextCodePoint(text, &second);
    if (second < text.size() && is_align(text[second])) {
      spec.fill = text.substr(0, second);
      spec.align = text[second];
      reader.at = second + 1;
    } else if (is_align(text[0])) {
      spec.align = text[0];
      reader.at = 1;
    }
  }
  if (reader.peek() == '+' || reader.peek() == '-' || reader.peek() == ' ') {
    spec.sign = text[reader.at++];
  }
  spec.alternate = reader.Take('#');
  spec.zero = reader.Take('0');
  spec.width = reader.Number(kMaxWidth);
  if (reader.peek() == ',' || reader.peek() == '_') spec.grouping = text[reader.at++];
  if (reader.Take('.')) {
    if (reader.peek() < '0' || reader.peek() > '9') throw Failure("a format without its precision");
    spec.precision = reader.Number(kMaxPrecision);
  }
  if (!reader.done()) spec.type = text[reader.at++];
  if (!reader.done()) throw Failure(fmt::format("the format '{}' is not supported", text));
  return spec;
}

std::string FormatValue(Heap& heap, const Value& value, std::string_view text) {
  if (text.empty()) return std::string(ToText(heap, value));
  Spec spec = ParseSpec(text);
  const bool number = IsNumber(value);
  if (spec.zero && spec.align == 0) {
    spec.fill = "0";
    spec.align = number ? '=' : '<';
  }
  const bool real_type =
      spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  const bool integer_type =
      spec.type == 0 || std::string_view("dxXob").find(spec.type) != std::string_view::npos;
  const bool plain_sign = spec.sign == '-' && !spec.alternate && spec.grouping == 0;
  if (value.Is(Kind::kString) && (spec.type == 0 || spec.type == 's') && spec.align != '=' &&
      plain_sign) {
    return FormatString(heap, value.text(), spec);
  }
  if (AsInt(value) && integer_type && spec.precision < 0) {
    return FormatInteger(heap, *AsInt(value), spec);
  }
  if (number && real_type) return FormatReal(heap, AsFloat(value), spec);
  if (value.Is(Kind::kFloat) && spec.type == 0 && spec.precision < 0) {
    return FormatReal(heap, value.real, spec);
  }
  NeedDefined(value);
  throw Failure(fmt::format("the format '{}' does not fit a {}", text, TypeName(value)));
}

class BracesFormat {
 public:
  BracesFormat(Heap& heap, std::string_view format, const Arguments& arguments)
      : heap_(heap), arguments_(arguments), reader_{format} {}

  std::string Run() {
    while (!reader_.done()) {
      const char c = reader_.text[reader_.at++];
      if (c == '{' && !reader_.Take('{')) {
        Field();
      } else if (c == '}' && !reader_.Take('}')) {
        throw Failure("a format with a single '}'");
      } else {
        out_ += c;
      }
      if (out_.size() > kMaxOutputBytes) throw Failure("a formatted text that is too large");
    }
    heap_.Read(out_.size());
    return std::move(out_);
  }

 private:
  // Up to one of `ends`, which stays.
  std::string_view Until(std::string_view ends) {
    const size_t end = reader_.text.find_first_of(ends, reader_.at);
    if (end == std::string_view::npos) throw Failure("a format with a '{' that is not closed");
    const std::string_view part = reader_.text.substr(reader_.at, end - reader_.at);
    reader_.at = end;
    return part;
  }

  Value Argument(std::string_view name) {
    const bool numbered =
        !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (name.empty() || numbered) {
      if ((numbered ? automatic_ : manual_)) {
        throw Failure("a format that numbers only some of its fields");
      }
      (numbered ? manual_ : automatic_) = true;
      Reader digits{name};
      const auto index = numbered ? static_cast<size_t>(digits.Number(kMaxWidth)) : next_++;
      if (index >= arguments_.positional.size()) throw Failure("a format with too few values");
      return arguments_.positional[index];
    }
    for (const Arguments::Named& named : arguments_.named) {
      if (named.name == name) return named.value;
    }
    throw Failure(fmt::format("a format without a value for '{}'", name));
  }

  // {name.attribute[key]!r:spec}, behind its "{".
  void Field() {
    Value value = Argument(Until(".[!:}"));
    while (reader_.peek() == '.' || reader_.peek() == '[') {
      if (reader_.Take('.')) {
        value = GetAttribute(heap_, value, Until(".[!:}"));
        continue;
      }
      ++reader_.at;
      const std::string_view key = Until("]");
      ++reader_.at;
      Reader digits{key};
      const bool numbered =
          !key.empty() && key.find_first_not_of("0123456789") == std::string_view::npos;
      value = GetItem(heap_, value, numbered ? Int(digits.Number(kMaxWidth)) : Text(key));
    }
    if (reader_.Take('!')) {
      const std::string_view conversion = Until(":}");
      std::string text;
      if (conversion == "r") {
        AppendRepr(heap_, value, &text);
      } else if (conversion == "s") {
        AppendText(heap_, value, &text);
      } else {
        throw Failure(fmt::format("a format has no conversion '!{}'", conversion));
      }
      value = KeepText(heap_, text);
    }
    std::string_view spec;
    if (reader_.Take(':')) spec = Until("{}");
    if (!reader_.Take('}')) throw Failure("a format within a format is not supported");
    out_ += FormatValue(heap_, value, spec);
  }

  Heap& heap_;
  const Arguments& arguments_;
  Reader reader_;
  std::string out_;
  size_t next_ = 0;
  bool automatic_ = false, manual_ = false;
};

}  // namespace

Value FormatPercent(Heap& heap, const Value& format, const Value& values) {
  Value text = KeepText(heap, PercentFormat(heap, format, values).Run());
  text.markup = format.markup;
  return text;
}

Value FormatBraces(Heap& heap, const Value& format, const Arguments& arguments) {
  return KeepText(heap, BracesFormat(heap, format.text(), arguments).Run());
}

}  // namespace hone::jinja
