#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "common/json.h"
#include "policy/text/bpe_trainer.h"
#include "policy/text/tokenizer.h"

namespace hone {
namespace {

using ::testing::ElementsAre;

Json Trained(BpeTraining training, const std::vector<std::string>& texts) {
  BpeTrainer trainer(std::move(training));
  for (const std::string& text : texts) trainer.Add(text);
  return Json::parse(trainer.Train());
}

TEST(BpeTrainerTest, MergesTheMostFrequentPairFirst) {
  const Json json = Trained({.vocab_size = 258}, {"abc abc ab"});
  EXPECT_EQ(json["model"]["merges"], Json::parse(R"([["a","b"],["Ġ","ab"]])"));
  EXPECT_EQ(json["model"]["vocab"]["ab"], 256);
  EXPECT_EQ(json["model"]["vocab"]["!"], 0);
}

TEST(BpeTrainerTest, OfEqualPairsTakesTheOneOfLowerIds) {
  const Json json = Trained({.vocab_size = 257}, {"zy", "ab", "ya"});
  EXPECT_EQ(json["model"]["merges"], Json::parse(R"([["a","b"]])"));
}

TEST(BpeTrainerTest, StopsAtTheLeastFrequency) {
  const Json json = Trained({.vocab_size = 400, .min_frequency = 2}, {"ab ab cd"});
  // " ab" comes once, and so do the pairs of " cd".
  EXPECT_EQ(json["model"]["merges"], Json::parse(R"([["a","b"]])"));
}

TEST(BpeTrainerTest, SpecialTokensTakeTheFirstIds) {
  const auto json = Trained({.vocab_size = 260, .special_tokens = {"<|end|>", "<pad>"}}, {"aa aa"});
  const auto tokenizer = Tokenizer::Parse(json.dump(), "trained");
  EXPECT_EQ(tokenizer->TokenId("<|end|>"), 0);
  EXPECT_TRUE(tokenizer->IsSpecial(1));
  EXPECT_EQ(tokenizer->vocab_size(), 260);
  EXPECT_THAT(tokenizer->Encode("<pad>aa<|end|>"), ElementsAre(1, *tokenizer->TokenId("aa"), 0));
}

TEST(BpeTrainerTest, WhatItWritesGivesTextsBack) {
  for (const auto pattern :
       {TrainedPattern::kGpt2, TrainedPattern::kQwen2, TrainedPattern::kLlama3}) {
    const std::string text = "Größe 12345 don't\n\n  日本語 🙂 x = f(x)  ";
    const Json json = Trained({.vocab_size = 300, .pattern = pattern}, {text, text, "\xFF"});
    const auto tokenizer = Tokenizer::Parse(json.dump(), "trained");
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text)), text);
    EXPECT_LT(tokenizer->Encode(text).size(), text.size());
  }
}

TEST(BpeTrainerTest, RefusesAVocabularyWithoutRoomForBytes) {
  EXPECT_THROW(BpeTrainer({.vocab_size = 256, .special_tokens = {"<a>"}}), UsageError);
}

}  // namespace
}  // namespace hone
