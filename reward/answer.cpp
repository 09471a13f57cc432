#include "reward/answer.h"

#include <fmt/format.h>

#include "reward/thought.h"

namespace hone {
namespace {

constexpr std::string_view kOpen = "<answer>", kClose = "</answer>";

std::optional<std::string_view> LastTagged(std::string_view text) {
  std::optional<std::string_view> last;
  size_t at = 0;
  while ((at = text.find(kOpen, at)) != std::string_view::npos) {
    const size_t begin = at + kOpen.size(), end = text.find(kClose, begin);
    if (end == std::string_view::npos) break;
    last = Trim(text.substr(begin, end - begin));
    at = end + kClose.size();
  }
  return last;
}

}  // namespace

std::string_view Trim(std::string_view text, std::string_view ends) {
  const size_t begin = text.find_first_not_of(ends);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(ends) - begin + 1);
}

Extract ReadExtract(OptionReader& reader) {
  const std::string word = reader.OneOf("extract", "answer", {"answer", "none", "last_line"});
  if (word == "none") return Extract::kNone;
  return word == "last_line" ? Extract::kLastLine : Extract::kAnswer;
}

std::optional<std::string_view> ExtractAnswer(std::string_view completion, Extract extract) {
  if (extract == Extract::kNone) return Trim(completion);
  const auto visible = AfterThought(completion, /*think_in_prompt=*/false);
  if (!visible) return std::nullopt;
  if (extract == Extract::kAnswer) return LastTagged(*visible);
  const std::string_view text = Trim(*visible);
  const size_t newline = text.find_last_of("\n\r");
  return newline == std::string_view::npos ? text : Trim(text.substr(newline + 1));
}

std::string PlaceAnswer(std::string_view answer, Extract extract) {
  if (extract != Extract::kAnswer) return std::string(answer);
  return fmt::format("{}{}{}", kOpen, answer, kClose);
}

std::optional<std::string> ColumnText(const Json& columns, const std::string& column,
                                      std::string* error) {
  const bool has = columns.is_object() && columns.contains(column);
  if (has && columns[column].is_string()) return columns[column].get<std::string>();
  if (has && columns[column].is_number()) return Dump(columns[column]);
  *error = fmt::format("expected a column \"{}\" with a string or a number, found {}", column,
                       has ? columns[column].type_name() : "none");
  return std::nullopt;
}

}  // namespace hone
