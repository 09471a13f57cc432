#include "reward/code/code_tests.h"

#include <fmt/format.h>

namespace hone {
namespace {

constexpr std::string_view kSpace = " \t\r\f\v";
constexpr size_t kShown = 100;  // characters of a wrong value in a message

struct WrongTests {
  std::string message;
};

[[noreturn]] void Wrong(const std::string& expected, const Json& found) {
  throw WrongTests{fmt::format("expected {}, found {}", expected, Dump(found).substr(0, kShown))};
}

// A text, or a list of lines.
std::string Text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) Wrong("a text or a list of lines", value);
  std::string text;
  for (const Json& line : value) {
    if (!line.is_string()) Wrong("a line of text", line);
    if (!text.empty()) text += '\n';
    text += line.get<std::string>();
  }
  return text;
}

// The column that holds text or a list of lines; empty when there is none.
std::string Setup(const Json& columns) {
  for (const char* name : {"test_setup_code", "test_imports"}) {
    if (columns.contains(name) && !columns[name].is_null()) {
      const std::string text = Text(columns[name]);
      if (!text.empty()) return text;
    }
  }
  return {};
}

CodeTests ReadPairs(const Json& pairs) {
  CodeTests tests;
  for (const Json& pair : pairs) {
    if (!pair.is_object() || !pair.contains("input") || !pair.contains("output")) {
      Wrong("an object with \"input\" and \"output\"", pair);
    }
    tests.stdio.push_back({Text(pair["input"]), Text(pair["output"])});
  }
  return tests;
}

CodeTests ReadColumns(const Json& table) {
  if (!table.contains("inputs") || !table.contains("outputs")) {
    Wrong("an object with \"inputs\" and \"outputs\"", table);
  }
  const Json& inputs = table["inputs"];
  const Json& outputs = table["outputs"];
  if (!inputs.is_array() || !outputs.is_array() || inputs.size() != outputs.size()) {
    Wrong("\"inputs\" and \"outputs\" as lists of one length", table);
  }
  CodeTests tests;
  const bool calls = table.contains("fn_name") && table["fn_name"].is_string();
  Json list = Json::array();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!calls) {
      tests.stdio.push_back({Text(inputs[i]), Text(outputs[i])});
    } else if (!inputs[i].is_array()) {
      Wrong("the arguments of a call as a list", inputs[i]);
    } else {
      list.push_back(Json::array({inputs[i], outputs[i]}));
    }
  }
  if (calls) {
    tests.judged_count = list.size();
    tests.judged = {{"function", table["fn_name"]}, {"calls", std::move(list)}};
  }
  return tests;
}

CodeTests ReadAsserts(const Json& asserts, const Json& columns, const Json& entry_point) {
  CodeTests tests;
  tests.judged_count = asserts.size();
  tests.judged = {{"tests", asserts}, {"setup", Setup(columns)}, {"entry_point", entry_point}};
  return tests;
}

CodeTests Read(const Json& columns, const std::string& column) {
  if (!columns.is_object() || !columns.contains(column)) {
    throw WrongTests{fmt::format("expected a column \"{}\", found none", column)};
  }
  Json value = columns[column];
  if (value.is_string()) {
    const Json parsed = Json::parse(value.get<std::string>(), nullptr, /*allow_exceptions=*/false);
    if (parsed.is_discarded()) {
      const bool named = columns.contains("entry_point") && columns["entry_point"].is_string();
      if (!named) Wrong("JSON, or Python and a column \"entry_point\"", value);
      return ReadAsserts(Json::array({value}), columns, columns["entry_point"]);
    }
    value = parsed;
  }
  if (value.is_object()) return ReadColumns(value);
  if (!value.is_array() || value.empty()) Wrong("a list of tests", value);
  if (!value.front().is_string()) return ReadPairs(value);
  for (const Json& test : value) {
    if (!test.is_string()) Wrong("an assert as text", test);
  }
  return ReadAsserts(value, columns, nullptr);
}

// The next line without the white space at its end; false at the end of the text.
bool NextLine(std::string_view* text, std::string_view* line) {
  if (text->empty()) return false;
  const size_t end = text->find('\n');
  *line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  const size_t last = line->find_last_not_of(kSpace);
  *line = line->substr(0, last == std::string_view::npos ? 0 : last + 1);
  return true;
}

std::string_view WithoutBlankEnd(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r\f\v\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

std::optional<CodeTests> ReadCodeTests(const Json& columns, const std::string& column,
                                       std::string* error) {
  try {
    CodeTests tests = Read(columns, column);
    if (tests.stdio.empty() && tests.judged_count == 0) {
      throw WrongTests{fmt::format("expected at least one test in column \"{}\"", column)};
    }
    return tests;
  } catch (const WrongTests& wrong) {
    *error = "tests: " + wrong.message;
    return std::nullopt;
  }
}

bool SameOutput(std::string_view found, std::string_view expected) {
  found = WithoutBlankEnd(found);
  expected = WithoutBlankEnd(expected);
  std::string_view left, right;
  for (;;) {
    const bool more = NextLine(&found, &left);
    if (more != NextLine(&expected, &right)) return false;
    if (!more) return true;
    if (left != right) return false;
  }
}

}  // namespace hone
