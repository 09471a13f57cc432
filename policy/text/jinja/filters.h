// Filters by name: value | name(arguments).
#pragma once

#include <string>
#include <string_view>

#include "policy/text/jinja/value.h"

namespace hone::jinja {

using FilterFunction = Value (*)(Heap& heap, const Value& value, const Arguments& arguments);

// Null when there is none of this name.
FilterFunction FindFilter(std::string_view name);
std::string UnknownFilter(std::string_view name);  // an error's text

}  // namespace hone::jinja
