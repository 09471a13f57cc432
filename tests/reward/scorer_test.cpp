#include "reward/scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "common/error.h"
#include "common/file.h"
#include "common/philox.h"

namespace hone {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

// Characters as tokens, the tags as added tokens, and <eos> as a special one.
std::shared_ptr<const Tokenizer> CharacterTokenizer() {
  Json vocab = Json::object(), added = Json::array();
  int id = 0;
  for (char c = '!'; c <= '~'; ++c) vocab[std::string(1, c)] = id++;
  vocab["ab"] = id++;
  for (const char* tag : {"<think>", "</think>", "<answer>", "</answer>", "<eos>"}) {
    added.push_back({{"id", id++},
                     {"content", tag},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", std::string(tag) == "<eos>"}});
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", byte_level},
                     {"post_processor", nullptr},
                     {"decoder", byte_level},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"vocab", vocab},
                       {"merges", {"a b"}}}}};
  const fs::path path =
      fs::temp_directory_path() / ("hone_scorer_test_" + std::to_string(::getpid()) + ".json");
  WriteFileAtomically(path, Dump(json));
  auto tokenizer = Tokenizer::Load(path);
  fs::remove(path);
  return tokenizer;
}

struct ScorerTest : ::testing::Test {
  std::shared_ptr<const Tokenizer> tokenizer = CharacterTokenizer();

  RolloutGroup Group(const std::vector<std::string>& texts,
                     const std::string& columns = R"({"answer": "12"})") {
    RolloutGroup group;
    group.task.group_id = 5;
    group.task.columns = columns;
    for (const auto& text : texts) {
      Completion completion;
      completion.tokens = tokenizer->Encode(text);
      group.completions.push_back(std::move(completion));
    }
    return group;
  }
  static RewardConfig Reward(const std::string& verifier, double weight,
                             const std::string& gate = "", Json options = Json::object()) {
    RewardConfig config{.verifier = verifier, .weight = weight, .gate = gate};
    config.options = std::move(options);
    return config;
  }
};

const std::string kRight = "<think>t</think><answer>12</answer><eos>";
const std::string kWrong = "<think>t</think><answer>13</answer><eos>";
const std::string kEndless = "<think>t</think><answer>" + std::string(2000, '9') + "</answer>";
const std::string kBare = "<answer>12</answer>";

TEST_F(ScorerTest, RewardIsTheWeightedSumInOrder) {
  const Scorer scorer({Reward("arithmetic", 0.9), Reward("format", 0.1)}, 0, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({kRight, kWrong, kBare, "x", ""}));
  EXPECT_THAT(scored.verifier_names, ElementsAre("arithmetic", "format"));
  EXPECT_THAT(scored.rewards_VG[0], ElementsAre(1, 0, 1, 0, 0));
  EXPECT_THAT(scored.rewards_VG[1], ElementsAre(1, 1, 0, 0, 0));
  EXPECT_THAT(scored.rewards_G, ElementsAre(static_cast<float>(0.9 + 0.1), 0.1f, 0.9f, 0, 0));
  EXPECT_TRUE(scored.errors.empty());
  EXPECT_EQ(scored.rollout.completions.size(), 5u);
  EXPECT_EQ(scored.rollout.task.group_id, 5u);
}

TEST_F(ScorerTest, AGatedRewardCountsOnlyWhereItsGateGaveSomething) {
  // The gate stands after what it gates: order does not matter.
  const Scorer scorer({Reward("format", 0.1, "arithmetic"), Reward("arithmetic", 0.9)}, 0,
                      tokenizer);
  const ScoredGroup scored = scorer.Score(Group({kRight, kWrong, kBare}));
  EXPECT_THAT(scored.rewards_VG[0], ElementsAre(1, 0, 0));
  EXPECT_THAT(scored.rewards_VG[1], ElementsAre(1, 0, 1));
  EXPECT_THAT(scored.rewards_G, ElementsAre(static_cast<float>(0.1 + 0.9), 0, 0.9f));
  // Two that gate each other count where both gave something.
  const Scorer mutual({Reward("format", 1, "arithmetic"), Reward("arithmetic", 1, "format")}, 0,
                      tokenizer);
  EXPECT_THAT(mutual.Score(Group({kRight, kWrong, kBare})).rewards_G, ElementsAre(2, 0, 0));
}

TEST_F(ScorerTest, AVerdictIsClippedBeforeItIsWeighed) {
  RewardConfig low = Reward("arithmetic", 2), high = Reward("format", 1);
  low.min = 0.25;
  high.max = 0.5;
  const Scorer scorer({low, high}, 0, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({kRight, kWrong, kBare}));
  EXPECT_THAT(scored.rewards_VG[0], ElementsAre(1, 0.25f, 1));
  EXPECT_THAT(scored.rewards_VG[1], ElementsAre(0.5f, 0.5f, 0));
  EXPECT_THAT(scored.rewards_G, ElementsAre(2.5f, 1, 2));
}

TEST_F(ScorerTest, NeitherAnErrorNorAClosedGateIsClipped) {
  RewardConfig masked = Reward("arithmetic", 1), zero = masked, gated = Reward("format", 1);
  masked.min = zero.min = gated.min = 0.25;
  zero.on_error = RewardConfig::OnError::kZero;
  gated.gate = "arithmetic";  // which gives 0, and is clipped to 0.25
  const Scorer scorer({masked, zero, gated}, 0, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({kWrong, kEndless}));
  EXPECT_THAT(scored.rewards_VG[0], ElementsAre(0.25f, IsNan()));
  EXPECT_THAT(scored.rewards_VG[1], ElementsAre(0.25f, 0));
  EXPECT_THAT(scored.rewards_VG[2], ElementsAre(0, IsNan()));
}

TEST_F(ScorerTest, AGateThatIsNoVerifierOfTheRunIsRefused) {
  try {
    Scorer({Reward("format", 1, "arithmetc"), Reward("arithmetic", 1)}, 0, tokenizer);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean \"arithmetic\""));
  }
}

TEST_F(ScorerTest, WhatCannotBeDecidedHasNoRewardAndSaysWhy) {
  const Scorer scorer({Reward("format", 1), Reward("arithmetic", 1)}, 0, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({kRight, kEndless}));
  EXPECT_THAT(scored.rewards_G, ElementsAre(2, IsNan()));
  EXPECT_THAT(scored.rewards_VG, ElementsAre(ElementsAre(1, 1), ElementsAre(1, IsNan())));
  ASSERT_EQ(scored.errors.size(), 1u);
  EXPECT_EQ(scored.errors[0].verifier, 1u);
  EXPECT_EQ(scored.errors[0].sample, 1u);
  EXPECT_EQ(scored.errors[0].cause, ErrorCause::kUndecided);
  EXPECT_THAT(scored.errors[0].reason, testing::StartsWith("cannot decide"));
  EXPECT_EQ(scorer.Score(Group({kRight, kWrong}, "")).errors.size(), 2u);
}

TEST_F(ScorerTest, OnErrorSaysWhetherItIsMaskedZeroOrTheEnd) {
  RewardConfig reward = Reward("arithmetic", 1);
  reward.on_error = RewardConfig::OnError::kZero;
  const Scorer zero({Reward("format", 1), reward}, 0, tokenizer);
  EXPECT_THAT(zero.Score(Group({kRight, kEndless})).rewards_G, ElementsAre(2, 1));
  EXPECT_EQ(zero.Score(Group({kRight, kEndless})).errors.size(), 1u);
  reward.on_error = RewardConfig::OnError::kStop;
  const Scorer stop({reward}, 0, tokenizer);
  EXPECT_THROW(stop.Score(Group({kRight, kEndless})), RunError);
  EXPECT_NO_THROW(stop.Score(Group({kRight, kWrong})));
}

TEST_F(ScorerTest, AGateThatWasNotJudgedMasksWhatItGates) {
  const Scorer scorer({Reward("arithmetic", 0), Reward("format", 1, "arithmetic")}, 0, tokenizer);
  EXPECT_THAT(scorer.Score(Group({kRight, kEndless})).rewards_G, ElementsAre(1, IsNan()));
}

TEST_F(ScorerTest, ColumnsThatAreNoJsonEndTheRun) {
  const Scorer scorer({Reward("format", 1)}, 0, tokenizer);
  EXPECT_THROW(scorer.Score(Group({kRight}, "{\"answer\":")), RunError);
}

TEST_F(ScorerTest, TheSameVerifierTwiceHasTwoNames) {
  const Scorer scorer(
      {Reward("exact_match", 1), Reward("exact_match", 2, "", {{"answer_column", "other"}}),
       Reward("format", 4, "exact_match_2")},
      0, tokenizer);
  const ScoredGroup scored =
      scorer.Score(Group({kRight, kWrong}, R"({"answer": "12", "other": 13})"));
  EXPECT_THAT(scored.verifier_names, ElementsAre("exact_match", "exact_match_2", "format"));
  EXPECT_THAT(scored.rewards_G, ElementsAre(1, 6));
}

TEST_F(ScorerTest, RandomIsAddressedByRunGroupAndSample) {
  const Scorer scorer({Reward("random", 1)}, 9, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({kRight, kRight}));
  for (uint32_t i = 0; i < 2; ++i) {
    const auto words = Philox(9, {.purpose = Purpose::kRandomReward, .group = 5, .sample = i});
    EXPECT_EQ(scored.rewards_G[i], UniformFloat(words[0]));
  }
}

TEST_F(ScorerTest, ScoresTheSameFromSeveralThreads) {
  const Scorer scorer({Reward("arithmetic", 0.9), Reward("format", 0.1), Reward("random", 0.01)}, 0,
                      tokenizer);
  const RolloutGroup group = Group({kRight, kWrong, kBare, ""});
  const auto expected = scorer.Score(group).rewards_G;
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (size_t t = 0; t < same.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) same[t] += scorer.Score(group).rewards_G == expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(same, testing::Each(200));
}

// A program that one asks twice may answer otherwise: this one gives its process id.
struct RecordTest : ScorerTest {
  static RewardConfig Program(double timeout_s = 10) {
    return Reward(HONE_SOURCE_DIR "/tests/reward/plugins/faulty_verifier.py", 1, "",
                  {{"timeout_s", timeout_s}, {"start_timeout_s", 3}});
  }
  Scorer MakeScorer(const std::vector<RewardConfig>& rewards) { return {rewards, 0, tokenizer}; }
};

TEST_F(RecordTest, OnlyVerdictsThatAClockBoundsAreRecorded) {
  const Scorer scorer({Reward("format", 1), Program(0.2), Reward("random", 1)}, 0, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({"abc", "hang", "undecided"}));
  ASSERT_EQ(scored.records.size(), 1u);
  const VerdictRecord& record = scored.records[0];
  EXPECT_EQ(record.verifier, "faulty_verifier");
  ASSERT_EQ(record.verdicts.size(), 3u);
  EXPECT_EQ(record.verdicts[0], Verdict{.reward = 3});
  EXPECT_EQ(record.verdicts[1].cause, ErrorCause::kTimeout);
  EXPECT_EQ(record.verdicts[2].error, "cannot tell");
  ASSERT_EQ(scored.seconds_V.size(), 3u);
  EXPECT_GT(scored.seconds_V[1], 0.2);
  EXPECT_LT(scored.seconds_V[0], 0.2);
}

TEST_F(RecordTest, WhatIsKnownIsNotAskedAgain) {
  const RolloutGroup group = Group({"pid", "hang", "abc"});
  const ScoredGroup first = MakeScorer({Program(0.2)}).Score(group);
  ASSERT_EQ(first.errors.size(), 1u);
  const Scorer scorer = MakeScorer({Program(0.2)});
  EXPECT_NE(scorer.Score(group).rewards_G[0], first.rewards_G[0]);
  ScoringWatch watch;
  const ScoredGroup again = scorer.Score(group, first.records, watch);
  EXPECT_THAT(again.rewards_G, ElementsAre(first.rewards_G[0], IsNan(), 3));
  EXPECT_EQ(again.errors, first.errors);
  EXPECT_EQ(again.records, first.records);
  EXPECT_EQ(watch.Look().verdicts, 0u);
}

TEST_F(RecordTest, ClipGateAndWeightAreNotPartOfWhatIsKnown) {
  const RolloutGroup group = Group({"pid", "abc"});
  const ScoredGroup first = MakeScorer({Program()}).Score(group);
  RewardConfig clipped = Program();
  clipped.max = 2;
  clipped.weight = 0.5;
  ScoringWatch watch;
  EXPECT_THAT(MakeScorer({clipped}).Score(group, first.records, watch).rewards_G,
              ElementsAre(1, 1));
}

TEST_F(RecordTest, VerdictsOnSomethingElseAreNotUsed) {
  const RolloutGroup group = Group({"pid", "abc"});
  const Scorer one = MakeScorer({Program()});
  const ScoredGroup first = one.Score(group);
  const Scorer two = MakeScorer({Program()});
  const auto asked = [&](const Scorer& scorer, const RolloutGroup& other) {
    ScoringWatch watch;
    const ScoredGroup scored = scorer.Score(other, first.records, watch);
    return watch.Look().verdicts == 2 && scored.records[0].judged != first.records[0].judged;
  };
  EXPECT_TRUE(asked(two, Group({"pid", "abcd"})));
  EXPECT_TRUE(asked(two, Group({"abc", "pid"})));
  EXPECT_TRUE(asked(two, Group({"pid", "abc"}, R"({"answer": "13"})")));
  EXPECT_TRUE(asked(MakeScorer({Program(11)}), group));
}

TEST_F(RecordTest, AReasonIsCutAtACharactersEnd) {
  // The program's line that is no answer is quoted: 100 bytes of it; a verifier's own words are
  // not.
  const Scorer scorer({Reward("/bin/sh", 1, "", {{"args", {"-c", R"(while read -r line; do
    printf '{"error": "'; printf 'a%.0s' $(seq 1 999); printf 'é%.0s' $(seq 1 999); echo '"}'; done)"}}})},
                      0, tokenizer);
  const ScoredGroup scored = scorer.Score(Group({"abc"}));
  ASSERT_EQ(scored.errors.size(), 1u);
  EXPECT_EQ(scored.errors[0].reason, std::string(999, 'a') + "…");
}

}  // namespace
}  // namespace hone
