#include "reward/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "reward/verify.h"

namespace hone {
namespace {
using ::testing::HasSubstr;

std::string Refusal(const std::string& verifier, const Json& options) {
  try {
    MakeVerifier({.verifier = verifier, .weight = 1, .gate = "", .options = options}, 0);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(OptionsTest, UnknownOptionNamesTheNearest) {
  EXPECT_THAT(Refusal("countdown", {{"use_al", true}}), HasSubstr("did you mean \"use_all\""));
  EXPECT_THAT(Refusal("format", {{"thnk_in_prompt", true}}), HasSubstr("think_in_prompt"));
  EXPECT_THAT(Refusal("random", {{"x", 1}}), HasSubstr("random: x: unknown option; it has none"));
}

TEST(OptionsTest, WrongTypeOrRangeSaysWhatWasExpectedAndFound) {
  EXPECT_THAT(Refusal("format", {{"think_in_prompt", 1}}),
              HasSubstr("expected true or false, found 1"));
  EXPECT_THAT(Refusal("countdown", {{"format_score", 1.5}}), HasSubstr("from 0 to 1, found 1.5"));
  EXPECT_THAT(Refusal("countdown", {{"format_score", "x"}}), HasSubstr("found \"x\""));
  EXPECT_THAT(Refusal("exact_match", {{"extract", "boxed"}}),
              HasSubstr("one of \"answer\", \"none\""));
  EXPECT_THAT(Refusal("exact_match", {{"answer_column", 3}}), HasSubstr("expected a string"));
  EXPECT_THAT(Refusal("arithmetic", Json::array()), HasSubstr("expected options as an object"));
  EXPECT_EQ(Refusal("arithmetic", Json()), "accepted");
}

TEST(OptionsTest, IntegerDoesNotWrapAround) {
  const Json options = {{"n", UINT64_MAX}, {"m", 2.0}};
  OptionReader reader("x", options);
  EXPECT_THROW(reader.Integer("n", 0, -10, 10), UsageError);
  EXPECT_THROW(reader.Integer("m", 0, -10, 10), UsageError);
}

TEST(OptionsTest, UnknownVerifierNamesTheNearestAndAPathMustExist) {
  EXPECT_THAT(Refusal("exact_mtch", {}), HasSubstr("did you mean \"exact_match\""));
  EXPECT_THAT(Refusal("./mine.so", {}), HasSubstr("no such file"));
  for (const auto& name : VerifierNames()) {
    EXPECT_EQ(MakeVerifier({.verifier = name, .weight = 1, .gate = "", .options = {}}, 0)->name(),
              name);
  }
}

TEST(OptionsTest, PairsOfTheCommandLineAreJsonOrElseText) {
  const Json options =
      ParseOptions({"a=1", "b=true", "c=some text", "d=x=y", "e=\"1\"", "f=", "g=1e999"});
  EXPECT_EQ(options["a"], 1);
  EXPECT_EQ(options["b"], true);
  EXPECT_EQ(options["c"], "some text");
  EXPECT_EQ(options["d"], "x=y");
  EXPECT_EQ(options["e"], "1");
  EXPECT_EQ(options["f"], "");
  EXPECT_EQ(options["g"], "1e999");
  EXPECT_THROW(ParseOptions({"a"}), UsageError);
  EXPECT_THROW(ParseOptions({"=1"}), UsageError);
}

}  // namespace
}  // namespace hone
