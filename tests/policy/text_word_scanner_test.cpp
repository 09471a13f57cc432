#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "policy/text/split_pattern.h"
#include "policy/text/utf8.h"
#include "policy/text/word_scanner.h"

namespace hone {
namespace {

using Words = std::vector<std::pair<size_t, size_t>>;

Words Scan(std::string_view pattern, std::string_view text) {
  const auto scanner = WordScanner::For(pattern);
  Words words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = scanner->WordEnd(text, begin);
    words.emplace_back(begin, end);
    if (end <= begin) break;
    begin = end;
  }
  return words;
}

// Characters on which the patterns turn, and any others.
std::string RandomText(std::mt19937* random) {
  constexpr char32_t kTurns[] = {U'\'', U's', U'S',  U't',   U'r',   U'E',  U'v',  U'l',
                                 U'L',  U'd', U' ',  U' ',   U'\n',  U'\r', U'\t', 0xA0,
                                 0x17F, U'1', U'2',  0x660,  0xBD,   U'a',  U'é',  0x3042,
                                 U'!',  U'.', 0x301, 0x200B, 0x1F642};
  std::string text;
  const auto size = (*random)() % 24;
  for (size_t i = 0; i < size; ++i) {
    char32_t code = kTurns[(*random)() % std::size(kTurns)];
    if ((*random)() % 8 == 0) code = static_cast<char32_t>((*random)() % 0x30000);
    if (code >= 0xD800 && code < 0xE000) code = U'x';
    AppendUtf8(code, &text);
  }
  return text;
}

TEST(WordScannerTest, CutsAsThePatternDoes) {
  std::mt19937 random(1);
  for (const std::string_view pattern : {kGpt2Pattern, kQwen2Pattern, kLlama3Pattern}) {
    const SplitPattern regex(pattern);
    for (int i = 0; i < 20000; ++i) {
      const std::string text = RandomText(&random);
      ASSERT_EQ(Scan(pattern, text), regex.FindMatches(text)) << pattern << "\n" << text;
    }
  }
}

TEST(WordScannerTest, KnowsThePatternsToTheLetter) {
  EXPECT_TRUE(WordScanner::For(kLlama3Pattern));
  EXPECT_FALSE(WordScanner::For(std::string(kLlama3Pattern) + " "));
  EXPECT_FALSE(WordScanner::For(R"(\s+)"));
}

}  // namespace
}  // namespace hone
