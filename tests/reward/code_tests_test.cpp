#include "reward/code/code_tests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hone {
namespace {
using ::testing::HasSubstr;

CodeTests Read(const std::string& columns) {
  std::string error;
  const auto tests = ReadCodeTests(Json::parse(columns), "tests", &error);
  EXPECT_TRUE(tests) << columns << ": " << error;
  return tests.value_or(CodeTests{});
}

std::string Wrong(const std::string& columns) {
  std::string error;
  EXPECT_FALSE(ReadCodeTests(Json::parse(columns), "tests", &error)) << columns;
  return error;
}

TEST(CodeTestsTest, ReadsTheLayoutsOfDataSets) {
  for (
      const char* columns :
      {R"j({"tests": [{"input": "1\n2", "output": "3"}, {"input": "", "output": "4"}]})j",
       R"j({"tests": {"inputs": ["1\n2", ""], "outputs": ["3", "4"]}})j",
       R"j({"tests": {"inputs": [["1", "2"], []], "outputs": [["3"], "4"], "fn_name": null}})j",
       R"j({"tests": "{\"inputs\": [\"1\\n2\", \"\"], \"outputs\": [\"3\", \"4\"]}"})j",
       R"j({"tests": "[{\"input\": \"1\\n2\", \"output\": \"3\"}, {\"input\": \"\", \"output\": \"4\"}]"})j"}) {
    const CodeTests tests = Read(columns);
    ASSERT_EQ(tests.stdio.size(), 2U) << columns;
    EXPECT_EQ(tests.stdio[0].input, "1\n2");
    EXPECT_EQ(tests.stdio[0].expected, "3");
    EXPECT_EQ(tests.stdio[1].input, "");
    EXPECT_EQ(tests.stdio[1].expected, "4");
    EXPECT_EQ(tests.judged_count, 0U);
  }
}

TEST(CodeTestsTest, ReadsTestsThatCallFunctions) {
  const CodeTests asserts = Read(R"j({"tests": ["assert f(1) == 2", "assert f(2) == 3"],
                                     "test_setup_code": "", "test_imports": ["import math"]})j");
  EXPECT_EQ(asserts.judged_count, 2U);
  EXPECT_EQ(asserts.judged["setup"], "import math");
  EXPECT_EQ(asserts.judged["tests"].size(), 2U);
  const CodeTests check =
      Read(R"j({"tests": "def check(candidate):\n  assert candidate(1)", "entry_point": "f"})j");
  EXPECT_EQ(check.judged_count, 1U);
  EXPECT_EQ(check.judged["entry_point"], "f");
  const CodeTests calls =
      Read(R"j({"tests": {"fn_name": "f", "inputs": [[1, 2], [[3]]], "outputs": [3, [3]]}})j");
  EXPECT_EQ(calls.judged_count, 2U);
  EXPECT_EQ(Dump(calls.judged), R"j({"calls":[[[1,2],3],[[[3]],[3]]],"function":"f"})j");
}

TEST(CodeTestsTest, SaysWhatIsWrongWithTheDataLine) {
  EXPECT_THAT(Wrong(R"j({})j"), HasSubstr("expected a column \"tests\", found none"));
  EXPECT_THAT(Wrong(R"j([1])j"), HasSubstr("expected a column"));
  EXPECT_THAT(Wrong(R"j({"tests": []})j"), HasSubstr("expected a list of tests"));
  EXPECT_THAT(Wrong(R"j({"tests": 3})j"), HasSubstr("found 3"));
  EXPECT_THAT(Wrong(R"j({"tests": [{"input": "1"}]})j"), HasSubstr("\"input\" and \"output\""));
  EXPECT_THAT(Wrong(R"j({"tests": [{"input": 1, "output": "2"}]})j"),
              HasSubstr("a text or a list"));
  EXPECT_THAT(Wrong(R"j({"tests": ["assert f(1)", 2]})j"), HasSubstr("an assert as text"));
  EXPECT_THAT(Wrong(R"j({"tests": {"inputs": ["1"], "outputs": []}})j"), HasSubstr("one length"));
  EXPECT_THAT(Wrong(R"j({"tests": {"inputs": [], "outputs": []}})j"), HasSubstr("at least one"));
  EXPECT_THAT(Wrong(R"j({"tests": "def check(c): pass"})j"), HasSubstr("entry_point"));
  EXPECT_THAT(Wrong(R"j({"tests": {"fn_name": "f", "inputs": [1], "outputs": [1]}})j"),
              HasSubstr("arguments of a call as a list"));
}

TEST(CodeTestsTest, ComparesOutputByLine) {
  EXPECT_TRUE(SameOutput("", ""));
  EXPECT_TRUE(SameOutput("1\n2\n", "1\n2"));
  EXPECT_TRUE(SameOutput("1 \r\n2\t\n\n \n", "1\n2"));
  EXPECT_TRUE(SameOutput("\n1", "\n1"));
  EXPECT_FALSE(SameOutput("1\n\n2", "1\n2"));
  EXPECT_FALSE(SameOutput(" 1", "1"));
  EXPECT_FALSE(SameOutput("1\n2\n3", "1\n2"));
  EXPECT_FALSE(SameOutput("1", "1\n2"));
  EXPECT_FALSE(SameOutput("1  2", "1 2"));
  EXPECT_FALSE(SameOutput("", "1"));
}

}  // namespace
}  // namespace hone
