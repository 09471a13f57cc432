// The tables in cases/: a line is a completion with its columns and the verifier's options, and
// what it must get.
#include <gtest/gtest.h>

#include <filesystem>

#include "common/file.h"
#include "reward/verify.h"

namespace hone {
namespace {

class CasesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(CasesTest, EveryCaseGetsItsReward) {
  const auto path = std::filesystem::path(HONE_VERIFIER_CASES) / (GetParam() + ".jsonl");
  int cases = 0;
  ForEachLine(path, [&](const std::string& line, int64_t number) {
    const Json row = ParseJsonLine(line, path, number);
    const auto verifier = MakeVerifier(
        {.verifier = GetParam(), .weight = 1, .gate = "", .options = row["options"]}, 0);
    const std::string completion = row["completion"].get<std::string>();
    OrderedJson explanation;
    Sample sample{.prompt = "", .completion = completion, .columns = row};
    sample.tokens = row.value("completion_tokens", int64_t{-1});
    const Verdict verdict = verifier->Score(sample);
    EXPECT_EQ(verdict.error.has_value(), row.contains("expect_error"))
        << line.substr(0, 300) << " " << verdict.error.value_or("");
    EXPECT_NEAR(verdict.reward, row.value("expect", 0.0), 1e-12) << line.substr(0, 300);
    // Who asks for an explanation gets the same verdict, and a reason unless it is an error.
    sample.explanation = &explanation;
    EXPECT_EQ(verifier->Score(sample).reward, verdict.reward);
    if (!verdict.error) {
      EXPECT_TRUE(explanation.contains("why")) << line.substr(0, 300);
    }
    ++cases;
  });
  EXPECT_GE(cases, 60);
}

INSTANTIATE_TEST_SUITE_P(Verifiers, CasesTest,
                         ::testing::Values("arithmetic", "countdown", "exact_match", "format",
                                           "gsm8k", "json_schema", "language", "length",
                                           "multiple_choice", "regex", "repetition"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace hone
