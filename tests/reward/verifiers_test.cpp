#include "reward/verifiers/verifiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "common/philox.h"

namespace hone {
namespace {
using ::testing::HasSubstr;

Verdict Judge(const Verifier& verifier, const std::string& completion,
              const Json& columns = Json::object()) {
  return verifier.Score(
      {.prompt = "", .completion = completion, .columns = columns, .group = 0, .index = 0});
}

std::string Answered(const std::string& answer) {
  return "<think>t</think><answer>" + answer + "</answer>";
}

TEST(FormatTest, WantsThinkThenAnswerEachOnce) {
  const auto format = MakeFormatVerifier({});
  for (const char* text :
       {"<think>a</think><answer>b</answer>", " \n<think>a</think>\n \n<answer>b</answer>\t\n",
        "<think></think><answer></answer>",
        "<think>\n1 < 2 <b> é \xff\n</think><answer>\nb</answer>"}) {
    EXPECT_EQ(Judge(*format, text).reward, 1) << text;
  }
  for (const char* text : {"",
                           " ",
                           "b",
                           "<think>a</think>",
                           "<answer>b</answer>",
                           "<answer>b</answer><think>a</think>",
                           "a<think>a</think><answer>b</answer>",
                           "<think>a</think>x<answer>b</answer>",
                           "<think>a</think><answer>b</answer>x",
                           "<think>a</think><answer>b",
                           "<think>a<answer>b</answer></think>",
                           "<think>a</think><answer>b</answer><answer>c</answer>",
                           "<think>a<think>a</think><answer>b</answer>",
                           "<think>a</think></think><answer>b</answer>",
                           "<think>a</think><answer><answer>b</answer>",
                           "<think>a</think><answer>b</answer></answer>",
                           "<think>a</think><answer>b<think></answer>",
                           "<think><answer></think></answer>",
                           "<Think>a</Think><answer>b</answer>",
                           "<think >a</think><answer>b</answer>",
                           "\u3000<think>a</think><answer>b</answer>",
                           "a</think><answer>b</answer>"}) {
    EXPECT_EQ(Judge(*format, text).reward, 0) << text;
  }
}

TEST(FormatTest, ThinkInPromptGoesOnFromTheOpenTag) {
  const auto format = MakeFormatVerifier({{"think_in_prompt", true}});
  EXPECT_EQ(Judge(*format, "a</think>\n<answer>b</answer>").reward, 1);
  EXPECT_EQ(Judge(*format, "</think><answer>b</answer>").reward, 1);
  EXPECT_EQ(Judge(*format, "<think>a</think><answer>b</answer>").reward, 0);
  EXPECT_EQ(Judge(*format, "<answer>b</answer>").reward, 0);
  EXPECT_EQ(Judge(*format, "<answer>b</answer></think>").reward, 0);
}

TEST(FormatTest, IsLinearInHostileText) {
  std::string tags, almost;
  for (int i = 0; i < 300'000; ++i) {
    tags += "<think></think><answer>";
    almost += "<answer<think";
  }
  const auto start = std::chrono::steady_clock::now();
  const auto format = MakeFormatVerifier({});
  EXPECT_EQ(Judge(*format, tags).reward, 0);
  EXPECT_EQ(Judge(*format, almost).reward, 0);
  EXPECT_EQ(Judge(*format, "<think>" + almost + "</think><answer>" + almost + "</answer>").reward,
            1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(ExactMatchTest, ComparesTheLastAnswerWithTheColumn) {
  const auto exact = MakeExactMatchVerifier({});
  const Json columns = {{"answer", "a b"}};
  EXPECT_EQ(Judge(*exact, Answered("a b"), columns).reward, 1);
  EXPECT_EQ(Judge(*exact, Answered("\n a b "), columns).reward, 1);
  EXPECT_EQ(Judge(*exact, "<answer>x</answer><answer>a b</answer>", columns).reward, 1);
  EXPECT_EQ(Judge(*exact, "<answer>a b</answer><answer>x</answer>", columns).reward, 0);
  EXPECT_EQ(Judge(*exact, "<answer>a b</answer> <answer>x", columns).reward, 1);
  EXPECT_EQ(Judge(*exact, "<answer>x<answer>a b</answer></answer>", columns).reward, 0);
  for (const char* text :
       {"", "a b", "<answer>a b", "a b</answer>", "<answer>A b</answer>", "<answer></answer>"}) {
    const Verdict verdict = Judge(*exact, text, columns);
    EXPECT_EQ(verdict.reward, 0) << text;
    EXPECT_FALSE(verdict.error) << text;
  }
}

TEST(ExactMatchTest, TakesNumbersOtherColumnsAndOtherPlaces) {
  EXPECT_EQ(Judge(*MakeExactMatchVerifier({{"answer_column", "solution"}}), Answered("42"),
                  {{"solution", 42}})
                .reward,
            1);
  EXPECT_EQ(
      Judge(*MakeExactMatchVerifier({{"extract", "none"}}), " 42\n", {{"answer", "42 "}}).reward,
      1);
  EXPECT_EQ(Judge(*MakeExactMatchVerifier({{"extract", "last_line"}}), "so\r\n 42 \n\n",
                  {{"answer", "42"}})
                .reward,
            1);
  EXPECT_EQ(
      Judge(*MakeExactMatchVerifier({{"extract", "last_line"}}), "42", {{"answer", "42"}}).reward,
      1);
}

TEST(ExactMatchTest, ADataLineWithoutTheColumnCannotBeDecided) {
  const auto exact = MakeExactMatchVerifier({});
  EXPECT_THAT(*Judge(*exact, Answered("1")).error, HasSubstr("\"answer\""));
  EXPECT_TRUE(Judge(*exact, Answered("1"), {{"answer", {1}}}).error);
  EXPECT_TRUE(Judge(*exact, Answered("1"), Json(3)).error);
}

TEST(ArithmeticTest, ComparesAsNumbers) {
  const auto arithmetic = MakeArithmeticVerifier({});
  const std::tuple<const char*, Json, double> cases[] = {
      {"933", "933", 1},
      {"0933", "933", 1},
      {"1,234", 1234, 1},
      {"0.5", "1/2", 1},
      {"0.1", 0.1, 1},
      {"934", "933", 0},
      {"", "933", 0},
      {"933.", 933, 1},
      {"-933", "933", 0},
      {"933 933", "933", 0},
      {"5^(5^5)", 5, 0},
      {"900+33", 933, 0},
      {"__import__('os').system('id')", 933, 0},
      {"0.30000000000000001", "0.3", 0},
      {"1e20", 1e20, 1},
      {"\uff19\uff13\uff13", 933, 0},
  };
  for (const auto& [answer, expected, reward] : cases) {
    const Verdict verdict = Judge(*arithmetic, Answered(answer), {{"answer", expected}});
    EXPECT_EQ(verdict.reward, reward) << answer;
    EXPECT_FALSE(verdict.error) << answer;
  }
  EXPECT_EQ(Judge(*arithmetic, "933", {{"answer", "933"}}).reward, 0);
  EXPECT_EQ(
      Judge(*MakeArithmeticVerifier({{"extract", "last_line"}}), "thus\n933", {{"answer", "933"}})
          .reward,
      1);
}

TEST(ArithmeticTest, WhatIsTooLongCannotBeDecided) {
  const auto arithmetic = MakeArithmeticVerifier({});
  const Verdict verdict =
      Judge(*arithmetic, Answered(std::string(1'000'000, '9')), {{"answer", "9"}});
  EXPECT_EQ(verdict.reward, 0);
  EXPECT_THAT(*verdict.error, HasSubstr("cannot decide"));
  EXPECT_TRUE(Judge(*arithmetic, Answered("9"), {{"answer", "nine"}}).error);
  EXPECT_TRUE(Judge(*arithmetic, Answered("9")).error);
}

TEST(CountdownTest, WantsTheTargetFromEachNumberOnce) {
  const auto countdown = MakeCountdownVerifier({});
  const Json columns = {{"nums", {3, 7, 25, 3}}, {"target", 49}};
  const std::pair<const char*, double> cases[] = {
      {"25+7*3+3", 1},
      {"3+(3*7)+25", 1},
      {"25 + 7 * 3 + 3", 1},
      {"49", 0},
      {"25+7*3", 0},
      {"25+7+3*3", 0},
      {"7*7", 0},
      {"25+8*3+0", 0},
      {"25+7+7+10", 0},
      {"25+7*3+3+0", 0},
      {"25+7*3+3=49", 0},
      {"25+21+3", 0},
      {"", 0},
      {"25+7*3+3)", 0},
      {"-(-25-7*3-3)", 1},
      {"25+7*3+3/1", 0},
      {"25+7*(3+3/0)", 0},
      {"5**2+7*3+3", 0},
      {"__import__('os').system('id')", 0},
      {"5^(5^5)", 0},
      {"<answer>25+7*3+3", 0},
  };
  for (const auto& [answer, reward] : cases) {
    const Verdict verdict = Judge(*countdown, Answered(answer), columns);
    EXPECT_EQ(verdict.reward, reward) << answer;
    EXPECT_FALSE(verdict.error) << answer;
  }
}

TEST(CountdownTest, EvaluatesWithoutRounding) {
  const auto countdown = MakeCountdownVerifier({});
  EXPECT_EQ(
      Judge(*countdown, Answered("8/(3-8/3)"), {{"nums", {8, 8, 3, 3}}, {"target", 24}}).reward, 1);
  const Json large = {{"nums", {9007199254740993, 1}}, {"target", 9007199254740992}};
  EXPECT_EQ(Judge(*countdown, Answered("9007199254740993*1"), large).reward, 0);
  EXPECT_EQ(Judge(*countdown, Answered("9007199254740993-1"), large).reward, 1);
}

TEST(CountdownTest, UseAllCanBeLeftOutButNoNumberTwice) {
  const auto some = MakeCountdownVerifier({{"use_all", false}});
  const Json columns = {{"nums", {3, 7, 25}}, {"target", 21}};
  EXPECT_EQ(Judge(*some, Answered("3*7"), columns).reward, 1);
  EXPECT_EQ(Judge(*some, Answered("7+7+7"), columns).reward, 0);
  EXPECT_EQ(Judge(*some, Answered("21"), columns).reward, 0);
}

TEST(CountdownTest, FormatScoreIsForExpressionsThatMiss) {
  const auto countdown = MakeCountdownVerifier({{"format_score", 0.1}});
  const Json columns = {{"nums", {3, 7}}, {"target", 21}};
  EXPECT_EQ(Judge(*countdown, Answered("3*7"), columns).reward, 1);
  for (const char* answer : {"3+7", "5", "3/0", "21"})
    EXPECT_EQ(Judge(*countdown, Answered(answer), columns).reward, 0.1);
  for (const char* answer : {"", "x", "3*7=21"})
    EXPECT_EQ(Judge(*countdown, Answered(answer), columns).reward, 0);
  EXPECT_EQ(Judge(*countdown, "3+7", columns).reward, 0);
}

TEST(CountdownTest, HostileTextCannotBeDecidedAndCostsNothing) {
  const auto countdown = MakeCountdownVerifier({{"format_score", 0.1}});
  const Json columns = {{"nums", {3, 7}}, {"target", 21}};
  const auto start = std::chrono::steady_clock::now();
  for (const auto& answer :
       {std::string(10'000, '(') + "3*7" + std::string(10'000, ')'), std::string(1'000'000, '9'),
        std::string(300, '(') + "3*7" + std::string(300, ')')}) {
    const Verdict verdict = Judge(*countdown, Answered(answer), columns);
    EXPECT_EQ(verdict.reward, 0);
    EXPECT_THAT(verdict.error.value_or(""), HasSubstr("cannot decide"));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(CountdownTest, ADataLineWithoutItsColumnsCannotBeDecided) {
  const auto countdown = MakeCountdownVerifier({});
  for (const Json& columns :
       {Json::object(), Json{{"nums", {1, 2}}}, Json{{"nums", {1, 2}}, {"target", "3"}},
        Json{{"nums", "1 2"}, {"target", 3}}, Json{{"nums", {1.5}}, {"target", 3}},
        Json{{"nums", Json::array()}, {"target", 3}}, Json(1)}) {
    EXPECT_TRUE(Judge(*countdown, Answered("1+2"), columns).error) << columns;
  }
}

TEST(RandomTest, IsDrawnAtTheSamplesAddressWhateverTheText) {
  const Json columns = Json::object();
  const auto draw = [&](uint64_t seed, uint64_t group, uint32_t index, const char* text) {
    return MakeRandomVerifier({}, seed)
        ->Score(
            {.prompt = "", .completion = text, .columns = columns, .group = group, .index = index})
        .reward;
  };
  EXPECT_EQ(draw(1, 2, 3, "a"), draw(1, 2, 3, "b"));
  const auto words = Philox(1, {.purpose = Purpose::kRandomReward, .group = 2, .sample = 3});
  EXPECT_EQ(draw(1, 2, 3, "a"), UniformFloat(words[0]));
  const std::set<double> all = {draw(1, 2, 3, ""), draw(2, 2, 3, ""), draw(1, 3, 3, ""),
                                draw(1, 2, 4, ""), draw(1, 3, 2, "")};
  EXPECT_EQ(all.size(), 5u);
  double sum = 0;
  for (uint32_t i = 0; i < 10'000; ++i) {
    const double reward = draw(1, 0, i, "");
    ASSERT_TRUE(reward >= 0 && reward < 1);
    sum += reward;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

}  // namespace
}  // namespace hone
