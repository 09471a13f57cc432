// Runs a template.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/text/chat_date.h"
#include "policy/text/jinja/ast.h"
#include "policy/text/jinja/value.h"

namespace hone::jinja {

// The text of a template with these variables. Throws PlacedFailure. The template must outlive the
// call, as must all that the variables refer to.
std::string RunTemplate(Heap& heap, const Body& body, const Bindings& variables,
                        const std::optional<ChatDate>& date);

// Nothing for the caller of a call block.
std::optional<std::string_view> MacroName(const Macro& macro);

}  // namespace hone::jinja
