#include "policy/text/jinja/arguments.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone::jinja {

Bound::Bound(std::string_view callee, const Arguments& arguments,
             std::initializer_list<std::string_view> names, size_t required)
    : callee_(callee) {
  std::copy(names.begin(), names.end(), names_.begin());
  if (arguments.positional.size() > names.size()) {
    throw Failure(fmt::format("{} takes at most {} arguments, {} were given", callee, names.size(),
                              arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    values_[i] = arguments.positional[i];
    given_[i] = true;
  }
  for (const Arguments::Named& named : arguments.named) {
    const size_t i =
        static_cast<size_t>(std::find(names.begin(), names.end(), named.name) - names.begin());
    if (i == names.size()) {
      throw Failure(fmt::format("{} takes no argument '{}'", callee, named.name));
    }
    if (given_[i]) throw Failure(fmt::format("{} is given '{}' twice", callee, named.name));
    values_[i] = named.value;
    given_[i] = true;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!given_[i]) throw Failure(fmt::format("{} needs its argument '{}'", callee, names_[i]));
  }
}

void Bound::FailType(size_t i, std::string_view expected) const {
  NeedDefined(values_[i]);
  throw Failure(fmt::format("{}: expected {} as '{}', found a {}", callee_, expected, names_[i],
                            TypeName(values_[i])));
}

int64_t Bound::Integer(size_t i, int64_t fallback) const {
  if (!given_[i]) return fallback;
  const auto integer = AsInt(values_[i]);
  if (!integer) FailType(i, "an integer");
  return *integer;
}

std::string_view Bound::String(size_t i, std::string_view fallback) const {
  if (!given_[i]) return fallback;
  if (!values_[i].Is(Kind::kString)) FailType(i, "a string");
  return values_[i].text();
}

std::optional<std::string_view> Bound::OptionalString(size_t i) const {
  if (!given_[i] || values_[i].Is(Kind::kNone)) return std::nullopt;
  return String(i, {});
}

}  // namespace hone::jinja
