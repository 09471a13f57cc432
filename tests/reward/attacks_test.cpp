#include "reward/attacks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace hone {
namespace {

bool Holds(const std::vector<Attack>& attacks, const std::string& completion) {
  return std::any_of(attacks.begin(), attacks.end(),
                     [&](const Attack& attack) { return attack.completion == completion; });
}

TEST(AttacksTest, AreDifferentAndNamed) {
  const auto attacks = MakeAttacks("1+1=", "<answer>2</answer>");
  std::set<std::string> names, completions;
  for (const Attack& attack : attacks) {
    names.insert(attack.name);
    completions.insert(attack.completion);
  }
  EXPECT_EQ(names.size(), attacks.size());
  EXPECT_EQ(completions.size(), attacks.size());
  for (const char* completion :
       {"", "<think></think><answer></answer>", "<think></think>\\boxed{}",
        "1+1=", "<think>\n<answer>2</answer>\n</think>", "<think>\n<answer>2</answer>"}) {
    EXPECT_TRUE(Holds(attacks, completion)) << completion;
  }
}

TEST(AttacksTest, TheAnswerIsNone) {
  EXPECT_TRUE(Holds(MakeAttacks("p", "7"), "A, B, C, D"));
  EXPECT_FALSE(Holds(MakeAttacks("p", "A, B, C, D"), "A, B, C, D"));
  EXPECT_FALSE(Holds(MakeAttacks("p", "<answer></answer>"), "<think></think><answer></answer>"));
}

TEST(AttacksTest, APromptWithoutEndIsCut) {
  for (const Attack& attack : MakeAttacks(std::string(1 << 20, 'x'), "7"))
    EXPECT_LE(attack.completion.size(), 20'000u) << attack.name;
}

}  // namespace
}  // namespace hone
