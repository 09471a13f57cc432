// Filters that make texts.
#include <fmt/format.h>

#include "policy/text/jinja/arguments.h"
#include "policy/text/jinja/filter_table.h"
#include "policy/text/jinja/format.h"
#include "policy/text/jinja/methods.h"
#include "policy/text/jinja/python_text.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {

// The value as a string; markup stays markup.
Value Soft(Heap& heap, const Value& value) {
  return value.Is(Kind::kString) ? value : Text(ToText(heap, value));
}

// A method of str on the value's text.
Value CallOnText(Heap& heap, const Value& value, std::string_view method,
                 const Arguments& arguments) {
  return CallMethod(heap, {Soft(heap, value), method}, arguments);
}

Value Trim(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  const Value chars = bound.Or(0, None());
  return CallOnText(heap, value, "strip", {{&chars, 1}, {}});
}

Value Center(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  const Value width = bound.Or(0, Int(80));
  return CallOnText(heap, value, "center", {{&width, 1}, {}});
}

Value UpperFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("upper", arguments, {});
  return CallOnText(heap, value, "upper", {});
}
Value LowerFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("lower", arguments, {});
  return CallOnText(heap, value, "lower", {});
}
Value CapitalizeFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("capitalize", arguments, {});
  return CallOnText(heap, value, "capitalize", {});
}

// Words begin after white space, "-" and opening brackets, unlike those of the method title.
Value TitleFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("title", arguments, {});
  const std::string_view text = ToText(heap, value);
  heap.Read(text.size());
  std::string title, word;
  const auto finish_word = [&] {
    const size_t first = ByteOf(word, 1);
    title += Upper(std::string_view(word).substr(0, first));
    title += Lower(std::string_view(word).substr(first));
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = NextCodePoint(text, &at);
    if (IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<') {
      finish_word();
      title += text.substr(begin, at - begin);
    } else {
      word += text.substr(begin, at - begin);
    }
  }
  finish_word();
  return KeepText(heap, title);
}

Value ReplaceFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const int64_t count = bound.Has(2) && !bound[2].Is(Kind::kNone) ? bound.Integer(2, -1) : -1;
  return KeepText(heap, ReplaceText(heap, ToText(heap, value), ToText(heap, bound[0]),
                                    ToText(heap, bound[1]), count));
}

Value IndentFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  NeedDefined(value);
  if (!value.Is(Kind::kString)) {
    throw Failure(fmt::format("indent takes a string, found a {}", TypeName(value)));
  }
  std::string indent;
  if (bound.Has(0) && bound[0].Is(Kind::kString)) {
    indent = bound.String(0, {});
  } else {
    const int64_t width = bound.Integer(0, 4);
    if (width > 10'000) throw Failure("indent: a width beyond 10000");
    indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool blank = bound.Flag(2, false);
  const std::string with_end = std::string(value.text()) + "\n";
  std::string text = bound.Flag(1, false) ? indent : "";
  bool first = true;
  for (const std::string_view line : SplitLines(heap, with_end, /*keep_ends=*/false)) {
    if (!first) {
      text += '\n';
      if (blank || !line.empty()) text += indent;
    }
    first = false;
    text += line;
    if (text.size() > kMaxOutputBytes) throw Failure("indent makes a text that is too large");
  }
  Value result = KeepText(heap, text);
  result.markup = value.markup;
  return result;
}

Value EscapeFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("escape", arguments, {});
  if (value.Is(Kind::kString) && value.markup) return value;
  heap.Read(value.Is(Kind::kString) ? value.size : 0);
  Value text = KeepText(heap, EscapeHtml(ToText(heap, value)));
  text.markup = true;
  return text;
}

Value ForceEscapeFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("forceescape", arguments, {});
  return EscapeFilter(heap, Text(ToText(heap, value)), {});
}

Value SafeFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("safe", arguments, {});
  Value text = Text(ToText(heap, value));
  text.markup = true;
  return text;
}

Value StringFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("string", arguments, {});
  return Soft(heap, value);
}

Value FormatFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  if (!arguments.named.empty() && !arguments.positional.empty()) {
    throw Failure("format takes values either with names or without");
  }
  if (arguments.named.empty()) {
    return FormatPercent(heap, Soft(heap, value), Tuple(arguments.positional));
  }
  std::vector<Entry> entries;
  for (const auto& [name, item] : arguments.named) entries.push_back({Text(name), item});
  return FormatPercent(heap, Soft(heap, value), MakeDict(heap, entries));
}

// json.dumps, as chat templates have it: no escapes for HTML.
Value ToJsonFilter(Heap& heap, const Value& value, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = bound.Flag(0, false);
  if (bound.Has(1) && !bound[1].Is(Kind::kNone)) {
    if (bound[1].Is(Kind::kString)) {
      style.indent = bound.String(1, {});
    } else {
      const int64_t width = bound.Integer(1, 0);
      if (width > 10'000) throw Failure("tojson: an indent beyond 10000");
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    style.item_separator = ",";
  }
  if (bound.Has(2) && !bound[2].Is(Kind::kNone)) {
    const std::span<const Value> pair = Iterate(heap, bound[2]);
    if (pair.size() != 2 || !pair[0].Is(Kind::kString) || !pair[1].Is(Kind::kString)) {
      throw Failure("tojson: expected two strings as 'separators'");
    }
    style.item_separator = pair[0].text();
    style.key_separator = pair[1].text();
  }
  style.sort_keys = bound.Flag(3, false);
  std::string json;
  AppendJson(heap, value, style, &json);
  return KeepText(heap, json);
}

}  // namespace

void AddTextFilters(FilterTable* table) {
  table->insert({{"trim", Trim},
                 {"center", Center},
                 {"upper", UpperFilter},
                 {"lower", LowerFilter},
                 {"capitalize", CapitalizeFilter},
                 {"title", TitleFilter},
                 {"replace", ReplaceFilter},
                 {"indent", IndentFilter},
                 {"escape", EscapeFilter},
                 {"e", EscapeFilter},
                 {"forceescape", ForceEscapeFilter},
                 {"safe", SafeFilter},
                 {"string", StringFilter},
                 {"format", FormatFilter},
                 {"tojson", ToJsonFilter}});
}

}  // namespace hone::jinja
