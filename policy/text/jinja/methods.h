// Methods of values: str's, list's and dict's as Python has them, without those that change a list
// or dict, which the sandbox forbids; and the `loop` of a for block.
#pragma once

#include <optional>
#include <string_view>

#include "policy/text/jinja/value.h"

namespace hone::jinja {

enum class MethodAccess : uint8_t { kNone, kOpen, kForbidden };

// Whether values of this kind have a method of this name.
MethodAccess FindMethod(const Value& value, std::string_view name);
Value CallMethod(Heap& heap, const Method& method, const Arguments& arguments);

// loop.index and so on; loop.cycle and loop.changed are methods.
std::optional<Value> LoopAttribute(Heap& heap, const Loop& loop, std::string_view name);

}  // namespace hone::jinja
