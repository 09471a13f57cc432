// Tests by name: value is name(arguments).
#pragma once

#include <string>
#include <string_view>

#include "policy/text/jinja/value.h"

namespace hone::jinja {

using TestFunction = bool (*)(Heap& heap, const Value& value, const Arguments& arguments);

// Null when there is none of this name.
TestFunction FindTest(std::string_view name);
std::string UnknownTest(std::string_view name);  // an error's text

}  // namespace hone::jinja
