// The functions that every chat template can call, as transformers gives them.
#pragma once

#include <optional>
#include <string_view>

#include "policy/text/chat_date.h"
#include "policy/text/jinja/value.h"

namespace hone::jinja {

enum class Builtin : uint8_t { kRange, kDict, kNamespace, kRaiseException, kStrftimeNow };

std::optional<Builtin> FindBuiltin(std::string_view name);
// `date` is what strftime_now prints; without it that fails.
Value CallBuiltin(Heap& heap, Builtin builtin, const std::optional<ChatDate>& date,
                  const Arguments& arguments);

// Fails for the names that the sandbox forbids on a namespace.
void CheckNamespaceName(std::string_view name);

}  // namespace hone::jinja
