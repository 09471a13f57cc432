// The tests of a data line, in the layouts that data sets have.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/json.h"

namespace hone {

struct StdioTest {
  std::string input, expected;  // expected output never enters a sandbox
};

// Either programs that read and write (stdio), or functions that are called (judged).
struct CodeTests {
  std::vector<StdioTest> stdio;
  Json judged;              // the standard input of sandbox/guest/judge.py; null: none
  size_t judged_count = 0;  // tests in it
};

// The tests in `column`, which holds one of these, or the text of its JSON:
// - [{"input": text, "output": text}…]
// - {"inputs": […], "outputs": […]} of texts or lists of lines (APPS, TACO); with "fn_name", of
//   argument lists and results;
// - [assert…] (MBPP's test_list), with the columns test_setup_code or test_imports if there are;
// - Python that defines check(candidate) (HumanEval's test), with the column entry_point.
// Nothing, and `error` says why, otherwise.
std::optional<CodeTests> ReadCodeTests(const Json& columns, const std::string& column,
                                       std::string* error);

// The same lines, but for white space at the end of a line and blank lines at the end.
bool SameOutput(std::string_view found, std::string_view expected);

}  // namespace hone
