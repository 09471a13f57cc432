// What Python's operators do to values: compare, compute, look inside.
#pragma once

#include <optional>
#include <string_view>

#include "policy/text/jinja/value.h"

namespace hone::jinja {

enum class Operator : uint8_t;

bool Equal(Heap& heap, const Value& left, const Value& right, int depth = 0);
// left < right. Fails where Python has no order.
bool Less(Heap& heap, const Value& left, const Value& right, int depth = 0);
bool Contains(Heap& heap, const Value& container, const Value& item);
// Fails for what cannot be a key.
size_t Hash(Heap& heap, const Value& value, int depth = 0);

Value Compute(Heap& heap, Operator operation, const Value& left, const Value& right);
bool Compare(Heap& heap, Operator operation, const Value& left, const Value& right);
Value Negative(const Value& value);
Value Positive(const Value& value);

// value.name and value[key], as the sandbox has them: undefined when there is no such thing.
Value GetAttribute(Heap& heap, const Value& value, std::string_view name);
Value GetItem(Heap& heap, const Value& value, const Value& key);
// A path such as "function.name" or "0.x", as filters take it; an integer for an index.
Value GetPath(Heap& heap, const Value& value, const Value& path);
Value Slice(Heap& heap, const Value& value, const Value& begin, const Value& end,
            const Value& step);
int64_t Length(Heap& heap, const Value& value);

}  // namespace hone::jinja
