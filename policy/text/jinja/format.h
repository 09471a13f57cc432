// Values as text: str(), repr(), json.dumps, and Python's two ways of formatting.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/text/jinja/value.h"

namespace hone::jinja {

// str(value).
std::string_view ToText(Heap& heap, const Value& value);
void AppendText(Heap& heap, const Value& value, std::string* out);
void AppendRepr(Heap& heap, const Value& value, std::string* out, int depth = 0);
std::string FloatRepr(double value);

struct JsonStyle {
  bool ensure_ascii = false, sort_keys = false;
  std::optional<std::string> indent;  // of one level; without it all is on one line
  std::string item_separator = ", ", key_separator = ": ";
};
void AppendJson(Heap& heap, const Value& value, const JsonStyle& style, std::string* out,
                int depth = 0);

// "%s of %d" % values.
Value FormatPercent(Heap& heap, const Value& format, const Value& values);
// "{} of {name}".format(arguments).
Value FormatBraces(Heap& heap, const Value& format, const Arguments& arguments);

}  // namespace hone::jinja
