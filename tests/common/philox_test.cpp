#include "common/philox.h"

#include <gtest/gtest.h>

#include <set>

namespace hone {
namespace {

// Known answers of Random123's kat_vectors for philox4x32-10, reached through our address fields.
TEST(PhiloxTest, MatchesTheKnownAnswers) {
  const auto zero = Philox(0, {static_cast<Purpose>(0), 0, 0, 0});
  EXPECT_EQ(zero, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const auto ones = Philox(~uint64_t{0}, {static_cast<Purpose>(0xff), ~uint64_t{0}, ~0u, ~0u});
  EXPECT_EQ(ones, (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  const auto pi = Philox(0x299f31d0a4093822,
                         {static_cast<Purpose>(0x03), 0x70734413198a2e, 0x85a308d3, 0x243f6a88});
  EXPECT_EQ(pi, (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxTest, EveryFieldOfTheAddressChangesTheDraw) {
  std::set<uint32_t> words;
  const Address base{Purpose::kSampleToken, 5, 6, 7};
  words.insert(Philox(1, base)[0]);
  words.insert(Philox(2, base)[0]);
  words.insert(Philox(1, {Purpose::kInitWeights, 5, 6, 7})[0]);
  words.insert(Philox(1, {Purpose::kSampleToken, 5 + (uint64_t{1} << 40), 6, 7})[0]);
  words.insert(Philox(1, {Purpose::kSampleToken, 5, 8, 7})[0]);
  words.insert(Philox(1, {Purpose::kSampleToken, 5, 6, 8})[0]);
  EXPECT_EQ(words.size(), 6u);
}

TEST(PhiloxTest, UniformsStayBelowOneAndBounds) {
  EXPECT_LT(UniformFloat(~0u), 1.0f);
  EXPECT_LT(UniformDouble(~0u, ~0u), 1.0);
  EXPECT_EQ(UniformBelow(~0u, 10), 9u);
  PhiloxSequence draws(3, {Purpose::kGenerateData, 9});
  int counts[10] = {};
  for (int i = 0; i < 10000; ++i) ++counts[draws.Below(10)];
  for (int count : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace hone
