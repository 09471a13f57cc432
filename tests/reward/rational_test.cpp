#include "reward/rational.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "common/philox.h"

namespace hone {
namespace {

std::string Repeat(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string Number(const std::string& text) {
  mpq_class value;
  switch (ParseNumber(text, &value)) {
    case Parsed::kOk:
      return value.get_str();
    case Parsed::kWrong:
      return "wrong";
    case Parsed::kTooLarge:
      return "too large";
  }
  return "";
}

std::string Value(const std::string& text) {
  Expression expression;
  switch (ParseExpression(text, &expression)) {
    case Parsed::kOk:
      return expression.defined ? expression.value.get_str() : "undefined";
    case Parsed::kWrong:
      return "wrong";
    case Parsed::kTooLarge:
      return "too large";
  }
  return "";
}

TEST(RationalTest, ReadsNumbersExactly) {
  const std::pair<const char*, const char*> cases[] = {
      {"933", "933"},      {"  933\n", "933"},
      {"+7", "7"},         {"-7", "-7"},
      {"\u22127", "-7"},   {"- 7", "-7"},
      {"0", "0"},          {"-0", "0"},
      {"007", "7"},        {"0.1", "1/10"},
      {".5", "1/2"},       {"5.", "5"},
      {"1,234", "1234"},   {"1,234,567.8", "6172839/5"},
      {"3/6", "1/2"},      {"-3 / 6", "-1/2"},
      {"1.5/0.5", "3"},    {"1e3", "1000"},
      {"1.5E-2", "3/200"}, {"1e+20", "100000000000000000000"},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(Number(text), value) << text;
}

TEST(RationalTest, RefusesWhatIsNoNumber) {
  for (const char* text : {"",
                           " ",
                           "-",
                           ".",
                           "e5",
                           "1e",
                           "1e+",
                           "x",
                           "12x",
                           "1 2",
                           "1,23",
                           "1234,567",
                           ",123",
                           "1,,234",
                           "1,234,",
                           "1/0",
                           "1/0.0",
                           "1/",
                           "/2",
                           "1/2/3",
                           "--1",
                           "1/-2",
                           "1.2.3",
                           "0x10",
                           "inf",
                           "nan",
                           "1+1",
                           "5^(5^5)",
                           "__import__('os').system('id')",
                           "\uff14\uff16",
                           "\xff\xfe",
                           "1\u00a0"}) {
    EXPECT_EQ(Number(text), "wrong") << text;
  }
  EXPECT_EQ(Number(std::string("1\0", 2)), "wrong");
}

TEST(RationalTest, HugeNumbersAreNeverComputed) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Number(std::string(1000, '9')), std::string(1000, '9'));
  EXPECT_EQ(Number(std::string(1001, '9')), "too large");
  EXPECT_EQ(Number(std::string(1'000'000, '9')), "too large");
  EXPECT_EQ(Number("0." + std::string(1'000'000, '3')), "too large");
  EXPECT_EQ(Number("1/" + std::string(1'000'000, '3')), "too large");
  EXPECT_EQ(Number("1" + Repeat(",000", 250'000)), "too large");
  EXPECT_EQ(Number("1e999999999999999999999999"), "too large");
  EXPECT_EQ(Number("1e-1001"), "too large");
  EXPECT_EQ(Number("1e1000"), "1" + std::string(1000, '0'));
  EXPECT_EQ(Number(std::string(1'000'000, '9') + "x"), "wrong");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(RationalTest, EvaluatesExpressionsExactly) {
  const std::pair<const char*, const char*> cases[] = {
      {"25+7*3", "46"},    {"(25+7)*3", "96"},   {" 1 + 2 ", "3"},
      {"10-4-3", "3"},     {"100/10/5", "2"},    {"2*(3+4)*5", "70"},
      {"1/3", "1/3"},      {"1/3+1/3+1/3", "1"}, {"-3+5", "2"},
      {"--3", "3"},        {"2*-3", "-6"},       {"((7))", "7"},
      {"8/(3-8/3)", "24"}, {"7/0", "undefined"}, {"7/(3-3)+1", "undefined"},
      {"0/7", "0"},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(Value(text), value) << text;
}

TEST(RationalTest, RefusesWhatIsNoExpression) {
  for (const char* text : {"",
                           "()",
                           "1+",
                           "*1",
                           "1 2",
                           "(1",
                           "1)",
                           "2(3)",
                           "(2)(3)",
                           "5^2",
                           "5**2",
                           "7//2",
                           "7%2",
                           "1.5+1",
                           "1,000+1",
                           "1=1",
                           "25+7*3=46",
                           "x",
                           "1+x",
                           "__import__('os').system('id')",
                           "0x10",
                           "1e3",
                           "3!",
                           "5^(5^(5^5))",
                           "7/0)",
                           "(7/0",
                           "1\xc3\x97"
                           "2",
                           "\xff"}) {
    EXPECT_EQ(Value(text), "wrong") << text;
  }
}

TEST(RationalTest, DeepOrLongExpressionsAreNeverFollowed) {
  EXPECT_EQ(Value(std::string(200, '(') + "1" + std::string(200, ')')), "1");
  EXPECT_EQ(Value(std::string(201, '(') + "1" + std::string(201, ')')), "too large");
  EXPECT_EQ(Value(std::string(10'000, '(') + "1" + std::string(10'000, ')')), "too large");
  EXPECT_EQ(Value(std::string(1'000'000, '9')), "too large");
  EXPECT_EQ(Value(std::string(900, '-') + "1"), "1");
  EXPECT_EQ(Value("1" + Repeat("/3", 499)).size(), 241u);  // 1/3^499
  EXPECT_EQ(Value("1" + Repeat("/3", 500)), "too large");
}

TEST(RationalTest, LongestExpressionsAreQuick) {
  const auto start = std::chrono::steady_clock::now();
  Value("1" + Repeat("/3+1/7", 166));
  Value(std::string(333, '9') + "/" + std::string(333, '7') + "/" + std::string(330, '3'));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(RationalTest, NoTextOfTheAlphabetBreaksTheParsers) {
  const std::string alphabet = "0123456789+-*/() .,eE^x\xe2\x88\x92";
  for (uint64_t i = 0; i < 20'000; ++i) {
    PhiloxSequence draws(7, {.purpose = Purpose::kGenerateData, .group = i});
    std::string text;
    const uint32_t size = draws.Below(30);
    for (uint32_t j = 0; j < size; ++j) text += alphabet[draws.Below(alphabet.size())];
    Number(text);
    Value(text);
  }
}

}  // namespace
}  // namespace hone
