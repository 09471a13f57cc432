// The arguments of a call, sorted to the parameters of what is called.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policy/text/jinja/value.h"

namespace hone::jinja {

// Fails for too many, for names that the callee has not, for one given twice, and for one of the
// first `required` that is missing.
class Bound {
 public:
  Bound(std::string_view callee, const Arguments& arguments,
        std::initializer_list<std::string_view> names, size_t required = 0);

  bool Has(size_t i) const { return given_[i]; }
  const Value& operator[](size_t i) const { return values_[i]; }
  Value Or(size_t i, const Value& fallback) const { return given_[i] ? values_[i] : fallback; }
  // Fail when the value has another type.
  int64_t Integer(size_t i, int64_t fallback) const;
  std::string_view String(size_t i, std::string_view fallback) const;
  bool Flag(size_t i, bool fallback) const { return given_[i] ? Truth(values_[i]) : fallback; }
  // Nothing for None too.
  std::optional<std::string_view> OptionalString(size_t i) const;

 private:
  static constexpr size_t kMost = 6;
  [[noreturn]] void FailType(size_t i, std::string_view expected) const;

  std::string_view callee_;
  std::array<std::string_view, kMost> names_;
  std::array<Value, kMost> values_;
  std::array<bool, kMost> given_{};
};

}  // namespace hone::jinja
