#include "policy/text/chat_date.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "common/error.h"

namespace hone {
namespace {

std::chrono::year_month_day Calendar(const ChatDate& date) {
  return std::chrono::year(date.year) / date.month / date.day;
}

std::tm Midnight(const ChatDate& date) {
  const std::chrono::sys_days day = Calendar(date);
  std::tm time{};
  time.tm_year = date.year - 1900;
  time.tm_mon = date.month - 1;
  time.tm_mday = date.day;
  time.tm_wday = static_cast<int>(std::chrono::weekday(day).c_encoding());
  const std::chrono::sys_days first = std::chrono::year(date.year) / 1 / 1;
  time.tm_yday = static_cast<int>((day - first).count());
  return time;
}

}  // namespace

ChatDate ChatDate::Today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return {local.tm_year + 1900, local.tm_mon + 1, local.tm_mday};
}

ChatDate ChatDate::Parse(std::string_view text, std::string_view name) {
  ChatDate date;
  int read = 0;
  const std::string copy(text);
  const bool matches =
      copy.size() == 10 &&
      std::sscanf(copy.c_str(), "%4d-%2d-%2d%n", &date.year, &date.month, &date.day, &read) == 3 &&
      read == 10;
  if (!matches || date.year < 1900 || !Calendar(date).ok()) {
    throw UsageError(fmt::format("{}: expected a day as \"2026-07-31\", found \"{}\"", name, text));
  }
  return date;
}

std::string ChatDate::ToString() const {
  return fmt::format("{:04d}-{:02d}-{:02d}", year, month, day);
}

bool ChatDate::Format(std::string_view format, std::string* text) const {
  static constexpr std::string_view kConversions = "aAbBcdDeFGHIjmMnpRStTuUVwWxXyYzZ%";
  const std::tm time = Midnight(*this);
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      *text += format[at];
      continue;
    }
    const bool unpadded = at + 1 < format.size() && format[at + 1] == '-';
    at += 1 + unpadded;
    if (at >= format.size() || kConversions.find(format[at]) == std::string_view::npos) {
      return false;
    }
    if (format[at] == 'z' || format[at] == 'Z') continue;  // as for a time without a zone
    const std::string one = std::string(unpadded ? "%-" : "%") + format[at];
    char part[64];
    text->append(part, std::strftime(part, sizeof(part), one.c_str(), &time));
  }
  return true;
}

}  // namespace hone
