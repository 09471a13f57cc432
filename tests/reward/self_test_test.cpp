#include "reward/self_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "common/error.h"
#include "common/file.h"
#include "reward/self_test_report.h"

namespace hone {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The rows as `hone train` has them, of one file.
PromptSet Set(const std::vector<Json>& rows) {
  PromptSet set;
  set.files.push_back({.path = "train.jsonl", .unit = "line", .number = 1});
  for (const Json& row : rows) {
    PromptRow& prompt = set.rows.emplace_back();
    prompt.prompt = row.value("prompt", "What is it?");
    prompt.columns = Dump(row);
    prompt.number = std::ssize(set.rows);
  }
  return set;
}

RewardConfig Reward(const std::string& verifier, const Json& options = Json::object()) {
  RewardConfig reward;
  reward.verifier = verifier;
  reward.options = options;
  return reward;
}

std::vector<SelfTestResult> Examine(const std::vector<RewardConfig>& rewards,
                                    const std::vector<Json>& rows, SelfTestSection section = {},
                                    uint64_t seed = 1, int threads = 2) {
  const Scorer scorer(rewards, seed, /*tokenizer=*/nullptr);
  return TestVerifiers(scorer, Set(rows), section, seed, threads);
}

std::string Complaint(const std::vector<SelfTestResult>& results, SelfTestSection section = {}) {
  try {
    CheckSelfTest(section, results, "runs/x");
  } catch (const RunError& error) {
    return error.what();
  }
  return "passed";
}

// What is wrong with a verifier that should pass.
std::string Wrong(const SelfTestResult& result) {
  std::string text;
  for (const auto* tally : {&result.gold, &result.attacks}) {
    for (const SelfTestCase& shown : tally->wrong)
      text += shown.place + " " + shown.attack + " " + shown.completion + ": " + shown.said + "\n";
  }
  return text;
}

struct Proof {
  RewardConfig reward;
  Json row;
};

std::vector<Proof> Proofs() {
  const Json numbers = {{"nums", {44, 19, 35}}, {"target", 98}};
  const Json choice = {{"answer", "B"}, {"choices", {"red", "green"}}};
  return {
      {Reward("exact_match"), {{"answer", "Paris"}}},
      {Reward("exact_match"), {{"answer", ""}}},
      {Reward("exact_match", {{"extract", "none"}}), {{"answer", "a b"}}},
      {Reward("exact_match", {{"extract", "last_line"}}), {{"answer", "a b"}}},
      {Reward("arithmetic"), {{"answer", "933"}}},
      {Reward("arithmetic", {{"extract", "last_line"}}), {{"answer", 0.5}}},
      {Reward("countdown"), numbers},
      {Reward("countdown", {{"use_all", false}, {"extract", "none"}}), numbers},
      {Reward("math"), {{"answer", "\\frac{1}{2}"}}},
      {Reward("math"), {{"answer", "so \\boxed{x=1} or \\boxed{x=2}"}}},
      {Reward("math", {{"think_in_prompt", true}}), {{"answer", "(1,2)"}}},
      {Reward("math", {{"extract", "none"}}), {{"answer", "[0,1)"}}},
      {Reward("gsm8k"), {{"answer", "48/2=24\n#### 1,234"}}},
      {Reward("gsm8k", {{"match", "flexible"}}), {{"answer", "-7"}}},
      {Reward("multiple_choice"), choice},
      {Reward("multiple_choice", {{"think_in_prompt", true}}), {{"answer", 3}}},
      {Reward("regex"), {{"pattern", "^3\\.5 m$"}}},
      {Reward("json_schema"), {{"schema", {{"enum", {{{"a", 1}}}}}}}},
  };
}

TEST(SelfTest, EveryVerifierAcceptsTheRightAnswerAndNoAttack) {
  for (const Proof& proof : Proofs()) {
    SCOPED_TRACE(proof.reward.verifier + Dump(proof.reward.options) + Dump(proof.row));
    const SelfTestResult result = Examine({proof.reward}, {proof.row})[0];
    EXPECT_EQ(result.gold.asked, 1);
    EXPECT_EQ(result.gold.accepted, 1) << Wrong(result);
    EXPECT_GE(result.attacks.asked, 20);
    EXPECT_EQ(result.attacks.accepted, 0) << Wrong(result);
    EXPECT_EQ(Complaint({result}), "passed");
  }
}

TEST(SelfTest, TheRightAnswerHasTheFormThatTheRunDemands) {
  const std::vector<std::pair<Json, std::string>> forms = {
      {{{"tags", "think,answer"}}, "arithmetic"},
      {{{"tags", "think,answer"}}, "math"},
      {{{"tags", "think,answer"}}, "gsm8k"},
      {{{"tags", "reasoning,solution"}}, "exact_match"},
      {{{"tags", "think,answer"}, {"think_in_prompt", true}}, "multiple_choice"}};
  for (const auto& [options, verifier] : forms) {
    SCOPED_TRACE(verifier + Dump(options));
    RewardConfig gated = Reward(verifier);
    gated.gate = "format";
    const Json row = {{"answer", verifier == "multiple_choice" ? "B" : "12"}};
    const auto results = Examine({gated, Reward("format", options)}, {row});
    EXPECT_EQ(results[0].gold.accepted, 1) << Wrong(results[0]);
    EXPECT_EQ(results[0].out_of_form, 0);
    EXPECT_EQ(results[0].attacks.accepted, 0) << Wrong(results[0]);
    EXPECT_THAT(results[1].untested, HasSubstr("judges no answers"));
  }
}

TEST(SelfTest, AFormInWhichNothingIsAcceptedIsSaidAndBehindAGateRefused) {
  // The whole completion is compared: no completion with tags is the answer.
  RewardConfig whole = Reward("exact_match", {{"extract", "none"}});
  const std::vector<Json> rows = {{{"answer", "12"}}};
  EXPECT_EQ(Examine({whole, Reward("format")}, rows)[0].out_of_form, 1);
  whole.gate = "format";
  const auto gated = Examine({whole, Reward("format")}, rows);
  EXPECT_EQ(gated[0].gold.refused, 1);
  EXPECT_THAT(Complaint(gated), HasSubstr("exact_match accepts 0 of 1 right answers"));
}

TEST(SelfTest, AGateThatTheRightAnswerDoesNotOpenIsNamed) {
  RewardConfig gated = Reward("exact_match");
  gated.gate = "format";
  gated.gold_template = "<answer>{answer}</answer>";
  const auto results = Examine({gated, Reward("format")}, {{{"answer", "12"}}});
  EXPECT_EQ(results[0].gold.refused, 1);
  EXPECT_THAT(Complaint(results), HasSubstr("format, its gate, refuses it"));
}

TEST(SelfTest, AWrongColumnOrAnswersOfAnotherKindStopTheRunAndNameTheRows) {
  const std::vector<Json> rows = {{{"answer", "12"}}, {{"answer", "twelve"}}, {{"solution", "3"}}};
  const auto results = Examine({Reward("arithmetic")}, rows);
  EXPECT_EQ(results[0].gold.accepted, 1);
  EXPECT_EQ(results[0].gold.errors.at("undecided"), 2);
  EXPECT_EQ(results[0].gold.refused, 0);
  EXPECT_THAT(Complaint(results),
              AllOf(HasSubstr("arithmetic accepts 1 of 3"), HasSubstr("max_gold_refused"),
                    HasSubstr("train.jsonl: line 2: "), HasSubstr("found \"twelve\""),
                    HasSubstr("train.jsonl: line 3: "), HasSubstr("expected a column \"answer\""),
                    HasSubstr("runs/x/self_test.json")));
}

TEST(SelfTest, ATemplateThatTheVerifierDoesNotReadIsRefusedWithWhatItExtracted) {
  RewardConfig reward = Reward("gsm8k");
  reward.gold_template = "<think></think><answer>{answer}</answer>";
  const auto results = Examine({reward}, {{{"answer", "72"}}});
  EXPECT_EQ(results[0].gold.refused, 1);
  EXPECT_THAT(Complaint(results), AllOf(HasSubstr("<answer>72</answer>"),
                                        HasSubstr("extracted \"\""), HasSubstr("no number")));
  reward.gold_template = "{reply}";
  EXPECT_THAT(Complaint(Examine({reward}, {{{"answer", "72"}}})),
              HasSubstr("line 1: \"\": expected the column \"reply\" (gold_template)"));
}

TEST(SelfTest, AVerifierThatAcceptsGuessesStopsTheRun) {
  const auto guess = Examine({Reward("gsm8k", {{"match", "flexible"}})}, {{{"answer", "100"}}});
  EXPECT_THAT(Complaint(guess), AllOf(HasSubstr("completions that answer nothing"),
                                      HasSubstr("max_attacks_accepted"), HasSubstr("guesses")));
  const auto anything = Examine({Reward("regex")}, {{{"pattern", "(?s).*"}}});
  EXPECT_GT(anything[0].attacks.accepted, 5);
  EXPECT_EQ(anything[0].without_gold, 1);
  EXPECT_EQ(Complaint(anything, {.max_attacks_accepted = 1}), "passed");
}

TEST(SelfTest, WhatTheRowItselfAsksForIsNoAttack) {
  const auto results = Examine(
      {Reward("exact_match")},
      {{{"answer", "I don't know."}}, {{"answer", "A, B, C, D"}}, {{"answer", "What is it?"}}});
  EXPECT_EQ(results[0].attacks.accepted, 0) << Wrong(results[0]);
  EXPECT_EQ(results[0].gold.accepted, 3);
}

TEST(SelfTest, VerifiersWithoutAnswersAreLeftOut) {
  const auto results = Examine({Reward("length"), Reward("repetition"), Reward("language"),
                                Reward("random"), Reward("regex", {{"pattern", ".*"}})},
                               {{{"answer", "1"}}});
  for (const SelfTestResult& result : results) {
    EXPECT_THAT(result.untested, HasSubstr("judges no answers")) << result.verifier;
    EXPECT_EQ(result.gold.asked + result.attacks.asked, 0);
  }
  EXPECT_EQ(Complaint(results), "passed");
}

TEST(SelfTest, TheSampleIsDrawnByTheSeedAndTheSameOnAnyThreads) {
  std::vector<Json> rows(200, {{"answer", "no number"}});
  const auto places = [&](uint64_t seed, int threads) {
    std::set<std::string> found;
    const auto results = Examine({Reward("arithmetic")}, rows, {.rows = 15}, seed, threads);
    EXPECT_EQ(results[0].gold.asked, 15);
    for (const SelfTestCase& shown : results[0].gold.wrong) found.insert(shown.place);
    return found;
  };
  const auto one = places(1, 1);
  EXPECT_EQ(one.size(), 15u);
  EXPECT_EQ(places(1, 3), one);
  EXPECT_NE(places(2, 1), one);
}

TEST(SelfTest, AShareUnderTheBoundPasses) {
  std::vector<Json> rows(50, {{"answer", "1"}});
  rows[7] = {{"answer", "one"}};
  EXPECT_EQ(Complaint(Examine({Reward("arithmetic")}, rows)), "passed");  // 0.02
  rows[8] = {{"answer", "one"}};
  EXPECT_NE(Complaint(Examine({Reward("arithmetic")}, rows)), "passed");
  EXPECT_EQ(Complaint(Examine({Reward("arithmetic")}, rows), {.max_gold_refused = 0.04}), "passed");
}

// A program that is a verifier, in a folder of its own.
struct SelfTestOfPrograms : ::testing::Test {
  fs::path folder = fs::temp_directory_path() / ("hone_self_test_" + std::to_string(::getpid()));
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  RewardConfig Program(const std::string& judge, const std::string& gold_template) {
    const fs::path path = folder / "judge.py";
    std::ofstream(path)
        << "#!/usr/bin/env python3\nimport json, sys, time\nfor line in sys.stdin:\n"
           "    s = json.loads(line)\n    c = s['completion']\n"
           "    a = s['columns']['answer']\n"
        << judge << "\n    print(json.dumps({'reward': r}), flush=True)\n";
    ::chmod(path.c_str(), 0755);
    RewardConfig reward = Reward(path.string());
    reward.gold_template = gold_template;
    return reward;
  }
};

TEST_F(SelfTestOfPrograms, AProgramIsTestedWhenItsRewardTableSaysWhatIsRight) {
  const std::vector<Json> rows = {{{"answer", "12"}}, {{"answer", "13"}}};
  const std::string judge = "    r = 1 if c.endswith('=' + a) else 0";
  EXPECT_THAT(Examine({Program(judge, "")}, rows)[0].untested, HasSubstr("gold_template"));
  const auto proved = Examine({Program(judge, "x={answer}")}, rows);
  EXPECT_EQ(proved[0].gold.accepted, 2) << Wrong(proved[0]);
  EXPECT_EQ(proved[0].attacks.accepted, 0) << Wrong(proved[0]);
  const auto eager = Examine({Program("    r = 1 if a or c else 0", "x={answer}")}, rows);
  EXPECT_EQ(eager[0].attacks.accepted, eager[0].attacks.asked);
}

TEST_F(SelfTestOfPrograms, ATimeOutIsNoRefusalAndYetNoProof) {
  RewardConfig reward =
      Program("    if a == '13' and '=' in c: time.sleep(60)\n    r = 0", "x={answer}");
  reward.options = {{"timeout_s", 1}, {"start_timeout_s", 20}};
  const auto results = Examine({reward}, {{{"answer", "12"}}, {{"answer", "13"}}}, {}, 1, 1);
  EXPECT_EQ(results[0].gold.refused, 1);
  EXPECT_EQ(results[0].gold.errors.at("timeout"), 1);
  EXPECT_THAT(Complaint(results), AllOf(HasSubstr("1 refused"), HasSubstr("1 timeout")));
}

TEST_F(SelfTestOfPrograms, AtMostFiftyRowsAreAsked) {
  const std::vector<Json> rows(70, {{"answer", "12"}});
  const auto results = Examine({Program("    r = 1 if c == a else 0", "{answer}")}, rows);
  EXPECT_EQ(results[0].gold.asked, 50);
  EXPECT_EQ(results[0].gold.accepted, 50);
}

TEST_F(SelfTestOfPrograms, TheReportSaysWhetherItPassed) {
  const std::vector<Json> rows = {{{"answer", "12"}}, {{"answer", "twelve"}}};
  const auto results = Examine({Reward("arithmetic"), Reward("format")}, rows);
  WriteSelfTest(folder, {}, results);
  EXPECT_FALSE(PassedSelfTest(folder));
  const Json report = ReadJson(folder / "self_test.json");
  EXPECT_EQ(report["verifiers"][0]["gold"]["accepted"], 1);
  EXPECT_EQ(report["verifiers"][0]["gold"]["not_accepted"][0]["row"], "train.jsonl: line 2");
  EXPECT_EQ(report["verifiers"][1]["untested"], "it judges no answers");
  WriteSelfTest(folder, {.max_gold_refused = 0.5}, results);
  EXPECT_TRUE(PassedSelfTest(folder));
  std::ofstream(folder / "self_test.json") << "{\"passed\": tr";
  EXPECT_FALSE(PassedSelfTest(folder));
}

}  // namespace
}  // namespace hone
