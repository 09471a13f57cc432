#include "common/nearest.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

TEST(NearestTest, FindsTheTypoAndKeepsSilentOnNoise) {
  const std::vector<std::string> known = {"temperature", "top_p", "top_k", "num_generations"};
  EXPECT_EQ(Nearest("temprature", known), "temperature");
  EXPECT_EQ(Nearest("top-k", known), "top_k");
  EXPECT_EQ(Nearest("zzzzzz", known), "");
  EXPECT_EQ(DidYouMean("top_q", known), "; did you mean \"top_p\"?");
  EXPECT_NE(DidYouMean("zzzzzz", known).find("known are: temperature"), std::string::npos);
}

}  // namespace
}  // namespace hone
