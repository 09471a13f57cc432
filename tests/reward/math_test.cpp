#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "common/file.h"
#include "reward/math/compare.h"
#include "reward/math/locate.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {
using math::SameAnswer;
using math::Tri;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Repeat(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

Verdict Judge(const Verifier& verifier, const std::string& completion, const std::string& answer) {
  const Json columns = {{"answer", answer}};
  return verifier.Score(
      {.prompt = "", .completion = completion, .columns = columns, .group = 0, .index = 0});
}

bool Same(const std::string& gold, const std::string& found) {
  return SameAnswer(gold, found, {}, nullptr) == Tri::kYes;
}

// Every pair that a person labelled. A right answer that is marked as missed is known not to be
// recognised; a wrong one that counted would teach a model.
TEST(MathTest, JudgesTheLabelledSetAsItsLabelsSay) {
  const auto verifier = MakeMathVerifier({});
  int pairs = 0, missed = 0;
  ForEachLine(HONE_MATH_LABELLED, [&](const std::string& line, int64_t number) {
    const Json row = ParseJsonLine(line, HONE_MATH_LABELLED, number);
    const bool known_miss = row.value("missed", false);
    const double expected = row["label"].get<int>() == 1 && !known_miss ? 1 : 0;
    const Verdict verdict =
        Judge(*verifier, row["completion"].get<std::string>(), row["answer"].get<std::string>());
    EXPECT_EQ(verdict.reward, expected) << line;
    ++pairs;
    missed += known_miss;
  });
  EXPECT_GE(pairs, 800);
  EXPECT_LE(missed, 26);
}

TEST(MathTest, EqualityIsSymmetric) {
  const std::pair<const char*, const char*> same[] = {
      {"1/2", "0.5"},           {"x+1", "1+x"},       {"(-\\infty,3]", "x \\le 3"},
      {"\\{1,2\\}", "2,1"},     {"45°", "\\pi/4"},    {"x=3", "3"},
      {"28\\%", "0.28"},        {"y=2x+3", "y-2x=3"}, {"\\pm 2", "2,-2"},
      {"\\sqrt{8}", "2\\sqrt2"}};
  for (const auto& [a, b] : same) {
    EXPECT_TRUE(Same(a, b)) << a << " " << b;
    EXPECT_TRUE(Same(b, a)) << b << " " << a;
  }
  const std::pair<const char*, const char*> different[] = {
      {"1e-7", "0"},      {"NO", "ON"},  {"204_5", "204_7"}, {"(1,2)", "[1,2]"},
      {"x>3", "x\\ge 3"}, {"2i", "2"},   {"(3,1)", "(1,3)"}, {"\\sqrt{x^2}", "x"},
      {"5 cm", "5 m"},    {"x+1", "y+1"}};
  for (const auto& [a, b] : different) {
    EXPECT_FALSE(Same(a, b)) << a << " " << b;
    EXPECT_FALSE(Same(b, a)) << b << " " << a;
  }
}

TEST(MathTest, HugeNumbersThatDifferInOneUnitAreNotTheSame) {
  EXPECT_TRUE(Same("2^{1000}", "4^{500}"));
  EXPECT_FALSE(Same("2^{1000}+1", "2^{1000}"));
  EXPECT_FALSE(Same("9^{9^9}+1", "9^{9^9}"));
  EXPECT_FALSE(Same("x^{60001}", "x^{60000}"));
  EXPECT_FALSE(Same("\\pi", "\\pi+10^{-40}"));
  EXPECT_FALSE(Same("\\sqrt{2}", "\\sqrt{2+10^{-45}}"));
  EXPECT_TRUE(Same("\\sqrt{2}\\sqrt{3}-\\sqrt{6}", "0"));
}

TEST(MathTest, DecimalsStandForRoundedValuesOnlyWithEnoughDigits) {
  EXPECT_TRUE(Same("\\frac{1}{3}", "0.333333"));
  EXPECT_FALSE(Same("\\frac{1}{3}", "0.33333"));
  EXPECT_FALSE(Same("\\frac{1}{3}", "0.333334"));
  EXPECT_EQ(SameAnswer("\\frac{8}{3}", "2.67", {.decimals = 2, .units = true}, nullptr), Tri::kYes);
  EXPECT_EQ(SameAnswer("10^{-7}", "0.000000", {}, nullptr), Tri::kNo);
}

// Threats: powers of powers, a million digits, ten thousand braces, code. Bounded by counted steps:
// the clock here only shows that the bounds are low enough.
TEST(MathTest, HostileAnswersAreFalseOrUndecidedAtOnce) {
  const std::string hostile[] = {"9^{9^{9^9}}",
                                 "5^(5^(5^5))",
                                 "9^{9^9}",
                                 "10000!!",
                                 "((((99!)!)!)!)",
                                 "\\binom{9^9}{8^8}",
                                 std::string(10'000, '('),
                                 std::string(10'000, '{'),
                                 std::string(1'000'000, '9'),
                                 Repeat("\\frac{", 1000),
                                 Repeat("x^{", 1200),
                                 Repeat("\\sqrt", 700),
                                 Repeat("-", 3000) + "1",
                                 Repeat("\\{", 1500),
                                 Repeat("|", 3000),
                                 Repeat("\\sin(", 500) + "x" + Repeat(")", 500),
                                 "\\sin(10^{1000000})",
                                 "e^{e^{e^{e^{e^{e}}}}}",
                                 "1e999999999",
                                 "0." + std::string(3000, '3'),
                                 "__import__('os').system('id')",
                                 "(x+1)^{60000}",
                                 Repeat("\\pm 1", 500),
                                 Repeat("1,", 1900) + "1",
                                 Repeat("(1,2)\\cup", 400) + "(1,2)",
                                 "\\begin{pmatrix}" + Repeat("1&", 1900) + "1\\end{pmatrix}",
                                 Repeat("\\begin{pmatrix}1&1\\\\1&1\\end{pmatrix}", 90),
                                 "1/0",
                                 "0^{-1}",
                                 "\\log 0",
                                 "\\infty-\\infty",
                                 std::string("5\0", 2),
                                 "\xff\xfe\xfa",
                                 Repeat("\\text{", 600),
                                 Repeat("a_{", 1200)};
  for (const auto& text : hostile) {
    for (const char* gold : {"7", "\\sin x+\\cos x", "x^2+1", "[0,1)", "1,2,3", "\\text{yes}"}) {
      const auto start = std::chrono::steady_clock::now();
      const Tri tri = SameAnswer(gold, text, {}, nullptr);
      const auto spent = std::chrono::steady_clock::now() - start;
      EXPECT_NE(tri, Tri::kYes) << text.substr(0, 60) << " for " << gold;
      EXPECT_LT(spent, std::chrono::milliseconds(500))
          << text.substr(0, 60);  // 50 ms, on a machine that is at work
    }
  }
}

TEST(MathTest, WhatIsOverTheLimitsCannotBeDecidedAndSaysSo) {
  const auto verifier = MakeMathVerifier({});
  for (const auto& text :
       {std::string(1'000'000, '9'), Repeat("{", 3000) + "1" + Repeat("}", 3000)}) {
    const Verdict verdict = Judge(*verifier, "\\boxed{" + text + "}", "7");
    EXPECT_EQ(verdict.reward, 0);
    EXPECT_THAT(verdict.error.value_or(""), HasSubstr("cannot decide"));
  }
  EXPECT_TRUE(
      verifier->Score({.prompt = "", .completion = "\\boxed{1}", .columns = Json::object()}).error);
}

TEST(MathTest, FindsAnswersInLinearTime) {
  const auto verifier = MakeMathVerifier({});
  const auto start = std::chrono::steady_clock::now();
  for (const char* part :
       {"\\boxed{\n", "\\boxed{", "the answer is ", "answer: \n", "<answer>", "<answer></answer>",
        "</answer>", "<think>", "</think>", "\\boxed{4}", "wait ", "not \\fbox"}) {
    EXPECT_EQ(Judge(*verifier, Repeat(part, 100'000), "42").reward, 0) << part;
    EXPECT_EQ(Judge(*verifier, Repeat(part, 100'000) + "\\boxed{4", "42").reward, 0) << part;
  }
  EXPECT_EQ(Judge(*verifier, Repeat("The answer is 42. ", 40) + "The answer is 43.", "42").reward,
            0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(MathTest, TheVerdictIsTheSameEveryTime) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Same("\\sin(x)^2+\\cos(x)^2", "1"));
    EXPECT_FALSE(Same("\\sin(x)^2+\\cos(x)^2+10^{-30}", "1"));
  }
}

TEST(MathTest, ThinkMayBeginInThePrompt) {
  const auto in_prompt = MakeMathVerifier({{"think_in_prompt", true}});
  EXPECT_EQ(Judge(*in_prompt, "t</think>\\boxed{5}", "5").reward, 1);
  EXPECT_EQ(Judge(*in_prompt, "\\boxed{5}", "5").reward, 0);
  EXPECT_EQ(Judge(*MakeMathVerifier({}), "\\boxed{5}", "5").reward, 1);
}

TEST(MathTest, OptionsChooseColumnPlaceAndUnits) {
  const auto whole = MakeMathVerifier({{"extract", "none"}});
  EXPECT_EQ(Judge(*whole, "<think>t</think> 1/2 ", "0.5").reward, 1);
  EXPECT_EQ(Judge(*whole, "it is 1/2", "0.5").reward, 0);
  EXPECT_EQ(Judge(*MakeMathVerifier({{"units", false}}), "\\boxed{5 meters}", "5 cm").reward, 1);
  EXPECT_EQ(Judge(*MakeMathVerifier({}), "\\boxed{5}", "Long: so it is \\boxed{5}.").reward, 1);
}

TEST(MathTest, ExplainsWhatWasExtractedAndWhy) {
  const auto verifier = MakeMathVerifier({});
  const Json columns = {{"answer", "0.5"}};
  OrderedJson why;
  verifier->Score({.prompt = "",
                   .completion = "so \\boxed{\\frac12}",
                   .columns = columns,
                   .explanation = &why});
  EXPECT_EQ(why["extracted"], "\\frac12");
  EXPECT_EQ(why["from"], "boxed");
  EXPECT_EQ(why["why"], "equal");
  verifier->Score(
      {.prompt = "", .completion = "<think>\\boxed{0.5}", .columns = columns, .explanation = &why});
  EXPECT_THAT(why["why"].get<std::string>(), HasSubstr("thought"));
}

TEST(MathTest, BoxesAreFoundWithTheirBraces) {
  EXPECT_THAT(math::Boxes("\\boxed{\\frac{1}{2}} \\fbox{a} \\boxed 5 \\boxed{\\{1\\}}"),
              ElementsAre("\\frac{1}{2}", "a", "5", "\\{1\\}"));
  EXPECT_THAT(math::Boxes("\\boxed{\\boxed{3}}"), ElementsAre("\\boxed{3}"));
  EXPECT_THAT(math::Boxes("\\boxed{3\nrest"), ElementsAre("3"));
  EXPECT_THAT(math::Locate("Final Answer: The final answer is $5$. I hope it is correct.").answers,
              ElementsAre("$5$"));
  EXPECT_THAT(math::Boxes("boxed{3} \\unboxed{3}"), ElementsAre());
}

}  // namespace
}  // namespace hone
