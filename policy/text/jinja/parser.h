// Tokens to a tree, by jinja2's grammar.
#pragma once

#include <string_view>

#include "policy/text/jinja/ast.h"

namespace hone::jinja {

// Valid UTF-8 to a template's body. Throws PlacedFailure: no template, a tag, filter or test that
// is not known, nested too deep, too long.
Body ParseTemplate(std::string_view source);

}  // namespace hone::jinja
