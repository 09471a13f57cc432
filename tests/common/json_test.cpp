#include "common/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"

namespace hone {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(const std::string& text) {
  try {
    ParseJsonLine(text, "data.jsonl", 7);
  } catch (const FileError& error) {
    return error.what();
  }
  return "no FileError";
}

TEST(ParseJsonLineTest, NamesTheFileTheLineAndTheByte) {
  EXPECT_EQ(ParseJsonLine(R"({"a": [1, "]"]})", "f", 1).at("a").size(), 2u);
  EXPECT_THAT(ErrorOf(R"({"a": )"),
              AllOf(HasSubstr("data.jsonl: line 7"), HasSubstr("one JSON value")));
  EXPECT_THAT(ErrorOf("1 2"), HasSubstr("byte 3"));
  EXPECT_THAT(ErrorOf("1e999"), HasSubstr("one JSON value"));
}

TEST(ParseJsonLineTest, InvalidUtf8IsNamedAsThat) {
  EXPECT_THAT(ErrorOf("{\"a\": \"x\xc3(\"}"), AllOf(HasSubstr("line 7"), HasSubstr("UTF-8")));
}

TEST(ParseJsonLineTest, DepthIsBounded) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(ErrorOf(nested(kMaxJsonDepth)), "no FileError");
  EXPECT_THAT(ErrorOf(nested(kMaxJsonDepth + 1)), HasSubstr("at most 200 levels"));
  EXPECT_THAT(ErrorOf(nested(5'000'000)), HasSubstr("at most 200 levels"));
  // Brackets in a text are no levels.
  EXPECT_EQ(ErrorOf("\"\\\"" + std::string(1000, '[') + "\""), "no FileError");
}

}  // namespace
}  // namespace hone
