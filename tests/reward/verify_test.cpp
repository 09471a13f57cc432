#include "reward/verify.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace hone {
namespace {

bool Takes(const std::string& verifier, const Json& options) {
  try {
    MakeVerifier({.verifier = verifier, .gate = "", .options = options}, 0);
    return true;
  } catch (const UsageError&) {
    return false;
  }
}

TEST(VerifyTest, TheAnswerColumnGoesToThoseThatHaveTheOption) {
  for (const std::string& name : VerifierNames()) {
    if (name == "code") continue;  // may not be made on this machine; it has none
    RewardConfig config;
    config.verifier = name;
    UseAnswerColumn("gold", &config);
    EXPECT_EQ(config.options.contains("answer_column"), Takes(name, {{"answer_column", "gold"}}))
        << name;
  }
}

TEST(VerifyTest, AnAnswerColumnOfItsOwnStays) {
  RewardConfig config;
  config.verifier = "math";
  config.options = {{"answer_column", "mine"}};
  UseAnswerColumn("gold", &config);
  EXPECT_EQ(config.options["answer_column"], "mine");
}

}  // namespace
}  // namespace hone
