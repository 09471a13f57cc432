// The day that a chat template prints as today's.
#pragma once

#include <string>
#include <string_view>

namespace hone {

struct ChatDate {
  int year = 1970, month = 1, day = 1;

  static ChatDate Today();  // local time
  // "2026-07-31". Throws UsageError for what is no day; `name` is the flag or key it came from.
  static ChatDate Parse(std::string_view text, std::string_view name);
  std::string ToString() const;
  // strftime in the C locale, at midnight and in no time zone. False for a conversion it lacks.
  bool Format(std::string_view format, std::string* text) const;
};

}  // namespace hone
