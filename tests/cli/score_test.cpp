#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "program.h"

namespace hone {
namespace {
using ::testing::HasSubstr;

std::string Lines(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    lines += "{\"completion\": \"\\\\boxed{" + std::to_string(i) + "}\", \"answer\": \"" +
             std::to_string(i % 3 == 0 ? i : -1) + "\"}\n";
  }
  return lines;
}

TEST(ScoreTest, KeepsTheOrderOfLinesWhateverTheThreads) {
  const Workplace place;
  const int count = 10'000;  // more than one batch
  place.Write("in.jsonl", Lines(count));
  std::string expected;
  for (int i = 0; i < count; ++i) {
    expected +=
        i % 3 == 0 ? "{\"reward\":1.0,\"error\":null}\n" : "{\"reward\":0.0,\"error\":null}\n";
  }
  for (const char* threads : {"1", "3", "0"}) {
    EXPECT_EQ(
        place.Ok({"score", "--verifier", "math", "--input", "in.jsonl", "--threads", threads}),
        expected);
  }
  EXPECT_EQ(place.Ok({"score", "--verifier", "math"}, {}, Lines(count)), expected);
}

TEST(ScoreTest, ExplainsWhenAskedAndChangesNoReward) {
  const Workplace place;
  const std::string out = place.Ok({"score", "--verifier", "math", "--explain"}, {}, Lines(2));
  EXPECT_THAT(out, HasSubstr("\"reward\":1.0"));
  EXPECT_THAT(out, HasSubstr("\"extracted\":\"0\""));
  EXPECT_THAT(out, HasSubstr("\"why\":\"different\""));
}

TEST(ScoreTest, LinesBeforeABadOneAreScoredAndItIsNamed) {
  const Workplace place;
  const Outcome outcome =
      place.Run({"score", "--verifier", "math"}, {}, Lines(5) + "nonsense\n" + Lines(5));
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 5);
  EXPECT_THAT(outcome.err, HasSubstr("line 6"));
}

TEST(ScoreTest, LengthTakesTheTokensOfALine) {
  const Workplace place;
  const std::string out = place.Ok({"score", "--verifier", "length", "--set", "shape=target",
                                    "--set", "target=3", "--set", "tolerance=3"},
                                   {},
                                   "{\"completion\": \"x\", \"completion_tokens\": [1, 2, 3]}\n"
                                   "{\"completion\": \"x\", \"completion_tokens\": 6}\n");
  EXPECT_EQ(out, "{\"reward\":1.0,\"error\":null}\n{\"reward\":0.0,\"error\":null}\n");
}

}  // namespace
}  // namespace hone
