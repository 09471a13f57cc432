#include "rollout/gold_answer.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string AfterHashes(std::string_view text) {
  const size_t at = text.rfind("####");
  if (at == std::string_view::npos) return "";
  std::string answer(Trimmed(text.substr(at + 4)));
  std::erase(answer, ',');
  return answer;
}

// `text` begins behind \boxed. LaTeX takes a group in braces, or the next token.
std::string_view BoxedArgument(std::string_view text) {
  text = text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
  if (!text.starts_with('{')) return Trimmed(text.substr(0, text.find_first_of("$\n")));
  int64_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;  // \{ and \} are no groups
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return Trimmed(text.substr(1, i - 1));
    }
  }
  return {};
}

std::string LastBoxed(std::string_view text) {
  const size_t boxed = text.rfind("\\boxed"), fbox = text.rfind("\\fbox");
  if (boxed == std::string_view::npos && fbox == std::string_view::npos) return "";
  const bool is_boxed =
      fbox == std::string_view::npos || (boxed != std::string_view::npos && boxed > fbox);
  return std::string(BoxedArgument(text.substr(is_boxed ? boxed + 6 : fbox + 5)));
}

}  // namespace

std::string GoldAnswer(const RowPlace& place, const Json& row, const std::string& column,
                       const std::string& rule) {
  const auto found = row.find(column);
  if (found == row.end() || !found->is_string()) {
    place.Fail(fmt::format("expected the answer in column \"{}\" (data.answer_column) as text, "
                           "found {}",
                           column, found == row.end() ? "none" : found->type_name()),
               "no answer");
  }
  const auto& text = found->get_ref<const std::string&>();
  const bool gsm8k = rule == "gsm8k";
  std::string answer = gsm8k ? AfterHashes(text) : LastBoxed(text);
  if (answer.empty()) {
    place.Fail(fmt::format("\"{}\": expected an answer {} (data.answer_from = \"{}\"), found none",
                           column, gsm8k ? "after ####" : "in \\boxed{}", rule),
               "no answer");
  }
  return answer;
}

}  // namespace hone
