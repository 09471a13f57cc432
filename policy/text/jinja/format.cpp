#include "policy/text/jinja/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "policy/text/jinja/interpreter.h"
#include "policy/text/jinja/operators.h"
#include "policy/text/jinja/python_text.h"
#include "policy/text/utf8.h"

namespace hone::jinja {
namespace {

void CheckGrowth(Heap& heap, const std::string& out, int depth) {
  heap.Step();
  if (depth > kMaxValueDepth) {
    throw Failure(fmt::format("values nested deeper than {} levels", kMaxValueDepth));
  }
  if (out.size() > kMaxOutputBytes) {
    throw Failure(fmt::format("a text of more than {} MiB", kMaxOutputBytes >> 20));
  }
}

// Python quotes with ' unless only " needs no escape.
void AppendTextRepr(std::string_view text, std::string* out) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  *out += quote;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = NextCodePoint(text, &at);
    const auto code = static_cast<uint32_t>(c);
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      *out += '\\';
      *out += static_cast<char>(c);
    } else if (IsPrintable(c)) {
      *out += text.substr(begin, at - begin);
    } else {
      *out += code < 0x100     ? fmt::format("\\x{:02x}", code)
              : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                               : fmt::format("\\U{:08x}", code);
    }
  }
  *out += quote;
}

void AppendReprs(Heap& heap, std::span<const Value> items, std::string* out, int depth) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ", ";
    AppendRepr(heap, items[i], out, depth + 1);
  }
}

void AppendJsonText(std::string_view text, bool ensure_ascii, std::string* out) {
  *out += '"';
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = NextCodePoint(text, &at);
    const auto code = static_cast<uint32_t>(c);
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
    static constexpr std::string_view kLetters = "\"\\nrtfb";
    const size_t escape = c < 0x80 ? kEscaped.find(static_cast<char>(c)) : std::string_view::npos;
    if (escape != std::string_view::npos) {
      *out += '\\';
      *out += kLetters[escape];
    } else if (c < 0x20 || (ensure_ascii && c > 0x7e && c < 0x10000)) {
      *out += c == 0x7f ? "\x7f" : fmt::format("\\u{:04x}", code);
    } else if (ensure_ascii && c >= 0x10000) {
      *out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((code - 0x10000) >> 10),
                          0xdc00 + ((code - 0x10000) & 0x3ff));
    } else {
      *out += text.substr(begin, at - begin);
    }
  }
  *out += '"';
}

std::string JsonFloat(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return FloatRepr(value);
}

std::string JsonKey(const Value& key) {
  switch (key.kind) {
    case Kind::kString:
      return std::string(key.text());
    case Kind::kNone:
      return "null";
    case Kind::kBool:
      return key.boolean ? "true" : "false";
    case Kind::kInt:
      return std::to_string(key.integer);
    case Kind::kFloat:
      return JsonFloat(key.real);
    default:
      throw Failure(fmt::format("tojson: a {} cannot be a key", TypeName(key)));
  }
}

void AppendLineBreak(const JsonStyle& style, int depth, std::string* out) {
  if (!style.indent) return;
  *out += '\n';
  for (int i = 0; i < depth; ++i) *out += *style.indent;
}

void AppendJsonList(Heap& heap, std::span<const Value> items, const JsonStyle& style,
                    std::string* out, int depth) {
  if (items.empty()) {
    *out += "[]";
    return;
  }
  *out += '[';
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += style.item_separator;
    AppendLineBreak(style, depth + 1, out);
    AppendJson(heap, items[i], style, out, depth + 1);
  }
  AppendLineBreak(style, depth, out);
  *out += ']';
}

void AppendJsonDict(Heap& heap, const Dict& dict, const JsonStyle& style, std::string* out,
                    int depth) {
  if (dict.entries.empty()) {
    *out += "{}";
    return;
  }
  std::vector<Entry> entries(dict.entries.begin(), dict.entries.end());
  if (style.sort_keys) {
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const Entry& a, const Entry& b) { return Less(heap, a.key, b.key); });
  }
  *out += '{';
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) *out += style.item_separator;
    AppendLineBreak(style, depth + 1, out);
    AppendJsonText(JsonKey(entries[i].key), style.ensure_ascii, out);
    *out += style.key_separator;
    AppendJson(heap, entries[i].value, style, out, depth + 1);
  }
  AppendLineBreak(style, depth, out);
  *out += '}';
}

}  // namespace

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest digits that read back to the same double, placed as Python places them.
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const std::string sign = text.starts_with('-') ? "-" : "";
  text.remove_prefix(sign.size());
  const size_t e = text.find('e');
  const int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  std::string digits(text.substr(0, e));
  std::erase(digits, '.');
  const auto size = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    if (size > 1) digits.insert(1, ".");
    return fmt::format("{}{}e{}{:02d}", sign, digits, exponent < 0 ? "-" : "+", std::abs(exponent));
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (size <= exponent + 1) {
    return sign + digits + std::string(static_cast<size_t>(exponent + 1 - size), '0') + ".0";
  }
  digits.insert(static_cast<size_t>(exponent) + 1, ".");
  return sign + digits;
}

void AppendRepr(Heap& heap, const Value& value, std::string* out, int depth) {
  CheckGrowth(heap, *out, depth);
  switch (value.kind) {
    case Kind::kUndefined:
      *out += "Undefined";
      break;
    case Kind::kNone:
      *out += "None";
      break;
    case Kind::kBool:
      *out += value.boolean ? "True" : "False";
      break;
    case Kind::kInt:
      *out += std::to_string(value.integer);
      break;
    case Kind::kFloat:
      *out += FloatRepr(value.real);
      break;
    case Kind::kString:
      heap.Read(value.size);
      if (value.markup) *out += "Markup(";
      AppendTextRepr(value.text(), out);
      if (value.markup) *out += ')';
      break;
    case Kind::kList:
      *out += '[';
      AppendReprs(heap, value.list(), out, depth);
      *out += ']';
      break;
    case Kind::kTuple:
      *out += '(';
      AppendReprs(heap, value.list(), out, depth);
      *out += value.size == 1 ? ",)" : ")";
      break;
    case Kind::kDict:
      *out += '{';
      for (const Entry& entry : value.dict->entries) {
        if (&entry != value.dict->entries.data()) *out += ", ";
        AppendRepr(heap, entry.key, out, depth + 1);
        *out += ": ";
        AppendRepr(heap, entry.value, out, depth + 1);
      }
      *out += '}';
      break;
    case Kind::kRange: {
      const Iterable& range = *value.iterable;
      *out += fmt::format("range({}, {}", range.start, range.stop);
      *out += range.step == 1 ? ")" : fmt::format(", {})", range.step);
      break;
    }
    case Kind::kMacro:
      *out += "<Macro ";
      if (const auto name = MacroName(*value.macro)) {
        AppendTextRepr(*name, out);
      } else {
        *out += "anonymous";
      }
      *out += '>';
      break;
    case Kind::kView:
      *out += value.iterable->name;
      *out += "([";
      AppendReprs(heap, value.iterable->items, out, depth);
      *out += "])";
      break;
    case Kind::kNamespace: {
      *out += "<Namespace {";
      const Bindings& attributes = value.space->attributes;
      for (size_t i = 0; i < attributes.size; ++i) {
        if (i > 0) *out += ", ";
        AppendTextRepr(attributes.room[i].name, out);
        *out += ": ";
        AppendRepr(heap, attributes.room[i].value, out, depth + 1);
      }
      *out += "}>";
      break;
    }
    case Kind::kLoop:
      *out += fmt::format("<LoopContext {}/{}>", value.loop->index + 1, value.loop->items.size());
      break;
    default:
      // Python would print an address.
      throw Failure(
          fmt::format("a {} has no text: call it, or make a list of it", TypeName(value)));
  }
}

void AppendText(Heap& heap, const Value& value, std::string* out) {
  if (value.Is(Kind::kString)) {
    heap.Read(value.size);
    *out += value.text();
    CheckGrowth(heap, *out, 0);
  } else if (!value.Is(Kind::kUndefined)) {
    AppendRepr(heap, value, out);
  }
}

std::string_view ToText(Heap& heap, const Value& value) {
  if (value.Is(Kind::kString)) return value.text();
  std::string text;
  AppendText(heap, value, &text);
  return heap.Keep(text);
}

void AppendJson(Heap& heap, const Value& value, const JsonStyle& style, std::string* out,
                int depth) {
  CheckGrowth(heap, *out, depth);
  switch (value.kind) {
    case Kind::kNone:
      *out += "null";
      break;
    case Kind::kBool:
      *out += value.boolean ? "true" : "false";
      break;
    case Kind::kInt:
      *out += std::to_string(value.integer);
      break;
    case Kind::kFloat:
      *out += JsonFloat(value.real);
      break;
    case Kind::kString:
      heap.Read(value.size);
      AppendJsonText(value.text(), style.ensure_ascii, out);
      break;
    case Kind::kList:
    case Kind::kTuple:
      AppendJsonList(heap, value.list(), style, out, depth);
      break;
    case Kind::kDict:
      AppendJsonDict(heap, *value.dict, style, out, depth);
      break;
    default:
      NeedDefined(value);
      throw Failure(fmt::format("tojson: a {} has no JSON", TypeName(value)));
  }
}

}  // namespace hone::jinja
