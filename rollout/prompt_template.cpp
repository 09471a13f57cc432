#include "rollout/prompt_template.h"

#include <fmt/format.h>

#include "common/nearest.h"

namespace hone {
namespace {

// False for a value that has no plain form.
bool AppendPlain(const Json& value, std::string* out) {
  if (value.is_string()) {
    *out += value.get_ref<const std::string&>();
  } else if (value.is_number()) {
    *out += Dump(value);
  } else if (value.is_array()) {
    *out += '[';
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) *out += ", ";
      if (value[i].is_array() || !AppendPlain(value[i], out)) return false;
    }
    *out += ']';
  } else {
    return false;
  }
  return true;
}

}  // namespace

PromptTemplate::PromptTemplate(const std::string& text, std::string key) : key_(std::move(key)) {
  Part part;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      part.text += c;
      ++i;
    } else if (c == '{') {
      const size_t end = text.find_first_of("{}", i + 1);
      if (end == std::string::npos || text[end] == '{' || end == i + 1) {
        throw UsageError(fmt::format(
            "expected {{column}} at character {}, found \"{}\"; a brace itself is written {{{{",
            i + 1, text.substr(i, 20)));
      }
      part.column = text.substr(i + 1, end - i - 1);
      parts_.push_back(std::exchange(part, {}));
      i = end;
    } else if (c == '}') {
      throw UsageError(
          fmt::format("found a }} without its {{ at character {}; a brace itself is "
                      "written }}}}",
                      i + 1));
    } else {
      part.text += c;
    }
  }
  if (!part.text.empty()) parts_.push_back(std::move(part));
}

std::string PromptTemplate::Fill(const RowPlace& place, const Json& row) const {
  std::string prompt;
  for (const Part& part : parts_) {
    prompt += part.text;
    if (part.column.empty()) continue;
    const auto value = row.find(part.column);
    if (value == row.end()) {
      std::vector<std::string> columns;
      for (const auto& [name, column] : row.items()) columns.push_back(name);
      place.Fail(fmt::format("expected the column \"{}\" ({}), which is missing{}", part.column,
                             key_, DidYouMean(part.column, columns)),
                 "no prompt");
    }
    if (!AppendPlain(*value, &prompt)) {
      place.Fail(fmt::format("\"{}\": expected text, a number or a list of them, found {}",
                             part.column, value->type_name()),
                 "no prompt");
    }
  }
  return prompt;
}

}  // namespace hone
