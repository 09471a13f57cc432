#include "rollout/stop.h"

#include <gtest/gtest.h>

#include <vector>

namespace hone {
namespace {

// How many of the pieces it takes until a stop string is found; -1 for never.
int PiecesUntilStop(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  StopMatcher matcher;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (matcher.Push(pieces[i], stops)) return static_cast<int>(i) + 1;
  }
  return -1;
}

TEST(StopMatcherTest, FindsAStringWithinOnePiece) {
  EXPECT_EQ(PiecesUntilStop({"abc", "x</answer>y"}, {"</answer>"}), 2);
}

TEST(StopMatcherTest, FindsAStringThatSpansPieces) {
  EXPECT_EQ(PiecesUntilStop({"a<", "/", "an", "", "swer", ">", "z"}, {"</answer>"}), 6);
}

TEST(StopMatcherTest, FindsAStringAfterAFalseStart) {
  EXPECT_EQ(PiecesUntilStop({"a", "a", "b", "a", "a", "a", "b", "c"}, {"aabc"}), 8);
  EXPECT_EQ(PiecesUntilStop({"aab", "aa", "b"}, {"aabc"}), -1);
}

TEST(StopMatcherTest, FindsWhicheverOfSeveralComesFirst) {
  const std::vector<std::string> stops = {"long stop string", "\n\n", "é"};
  EXPECT_EQ(PiecesUntilStop({"a long stop ", "\n", "\n"}, stops), 3);
  EXPECT_EQ(PiecesUntilStop({"\n", "a", "\xC3", "\xA9"}, stops), 4);
  EXPECT_EQ(PiecesUntilStop({"long", " stop", " string"}, stops), 3);
}

TEST(StopMatcherTest, FindsASingleByte) {
  EXPECT_EQ(PiecesUntilStop({"a", "b", "c"}, {"c"}), 3);
  EXPECT_EQ(PiecesUntilStop({"a", "b"}, {"c"}), -1);
}

}  // namespace
}  // namespace hone
