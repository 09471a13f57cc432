// Verifiers of a user's own: programs and shared libraries, and all that can go wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "common/error.h"
#include "reward/verify.h"

namespace hone {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kProgram = HONE_SOURCE_DIR "/tests/reward/plugins/faulty_verifier.py";
const std::string kLibrary = HONE_BINARY_DIR "/libfaulty_verifier.so";

std::unique_ptr<Verifier> Make(const std::string& path, const Json& options = Json::object()) {
  RewardConfig config;
  config.verifier = path;
  config.options = options;
  return MakeVerifier(config, /*seed=*/0);
}

std::vector<Verdict> ScoreAll(const Verifier& verifier, const std::vector<std::string>& completions,
                              const Json& columns = Json::object()) {
  std::vector<Sample> samples;
  for (const std::string& completion : completions) {
    samples.push_back({.prompt = "p", .completion = completion, .columns = columns});
  }
  ScoringWatch unwatched;
  return verifier.ScoreBatch(samples, unwatched);
}

// That the second of three samples, which asks for a fault, gets an error that says this, and the
// others their rewards.
void ExpectOneError(const Verifier& verifier, const std::string& fault, ErrorCause cause,
                    const std::string& message) {
  const std::vector<Verdict> verdicts = ScoreAll(verifier, {"abc", fault, "abcd"});
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(verdicts[0].reward, 3) << fault;
  EXPECT_FALSE(verdicts[0].error) << *verdicts[0].error;
  ASSERT_TRUE(verdicts[1].error) << fault;
  EXPECT_THAT(*verdicts[1].error, HasSubstr(message));
  EXPECT_EQ(verdicts[1].cause, cause) << fault;
  EXPECT_EQ(verdicts[2].reward, 4) << fault;
  EXPECT_FALSE(verdicts[2].error) << *verdicts[2].error;
}

void ExpectUsageError(const std::string& path, const Json& options, const std::string& message) {
  try {
    Make(path, options);
    FAIL() << "expected an error that says: " << message;
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(ProgramVerifierTest, AProgramScoresAGroupInOrder) {
  const auto verifier = Make(kProgram);
  EXPECT_EQ(verifier->name(), "faulty_verifier");
  std::vector<std::string> completions;
  for (size_t i = 0; i < 100; ++i) completions.emplace_back(i, 'x');
  const std::vector<Verdict> verdicts = ScoreAll(*verifier, completions);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(verdicts[i].reward, i);
}

TEST(ProgramVerifierTest, LinesThatFillThePipesBothWaysDoNotStallIt) {
  const Json columns = {{"padding", std::string(300'000, 'y')}};
  const auto verdicts = ScoreAll(*Make(kProgram), std::vector<std::string>(40, "ab"), columns);
  for (const Verdict& verdict : verdicts) EXPECT_EQ(verdict.reward, 300'002);
}

TEST(ProgramVerifierTest, AProgramIsKeptAliveAndGetsItsOptions) {
  const auto verifier = Make(kProgram, {{"processes", 1}, {"bonus", 2.5}});
  const double pid = ScoreAll(*verifier, {"pid"})[0].reward;
  EXPECT_EQ(ScoreAll(*verifier, {"pid"})[0].reward, pid);
  EXPECT_EQ(ScoreAll(*verifier, {"option"})[0].reward, 2.5);
}

TEST(ProgramVerifierTest, AClockBoundsItAndEachVerdictIsHeardOf) {
  const auto verifier =
      Make(kProgram, {{"processes", 3}, {"timeout_s", 0.5}, {"start_timeout_s", 5}});
  EXPECT_EQ(verifier->parallel(), 3);
  EXPECT_EQ(verifier->deadline_s(), 11);
  const Json columns = Json::object();
  std::vector<Sample> samples;
  for (const char* completion : {"abc", "exit", "abc"}) {
    samples.push_back({.prompt = "p", .completion = completion, .columns = columns});
  }
  ScoringWatch watch;
  verifier->ScoreBatch(samples, watch);
  EXPECT_EQ(watch.Look().verdicts, 3u);
  EXPECT_TRUE(watch.Look().works);
}

TEST(ProgramVerifierTest, AStopEndsItAtTheNextVerdictAndLeavesItUsable) {
  const auto verifier = Make(kProgram, {{"processes", 1}});
  const Json columns = Json::object();
  const std::vector<Sample> samples(
      100, {.prompt = "p", .completion = "slow", .columns = columns});  // 30 s in all
  ScoringWatch watch;
  watch.Stop();
  EXPECT_THROW(verifier->ScoreBatch(samples, watch), ScoringStopped);
  EXPECT_EQ(ScoreAll(*verifier, {"abc"})[0].reward, 3);
}

TEST(ProgramVerifierTest, OnlyTheSampleThatKillsTheProgramGetsAnError) {
  const auto verifier = Make(kProgram);
  ExpectOneError(*verifier, "exit", ErrorCause::kCrash, "exit code 3");
  ExpectOneError(*verifier, "killed", ErrorCause::kCrash, "signal 9");
}

TEST(ProgramVerifierTest, NoAnswerInTimeIsATimeoutOfThatSampleAlone) {
  const auto verifier = Make(kProgram, {{"timeout_s", 0.5}, {"start_timeout_s", 5}});
  ExpectOneError(*verifier, "hang", ErrorCause::kTimeout, "no answer within 0.5 s");
  const auto slow = ScoreAll(*verifier, std::vector<std::string>(4, "slow"));
  for (const Verdict& verdict : slow) EXPECT_FALSE(verdict.error);  // each line has its own time
}

TEST(ProgramVerifierTest, WhatIsNoAnswerIsAnErrorAndTheNextAnswersStayInStep) {
  ExpectOneError(*Make(kProgram), "chatter", ErrorCause::kCrash, "found let me see");
  ExpectOneError(*Make(kProgram), "endless", ErrorCause::kCrash, "without end");
  ExpectOneError(*Make(kProgram), "undecided", ErrorCause::kUndecided, "cannot tell");
}

TEST(ProgramVerifierTest, SeveralGroupsAtOnceUseSeveralProcesses) {
  const auto verifier = Make(kProgram, {{"processes", 3}});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i)
        ExpectOneError(*verifier, "exit", ErrorCause::kCrash, "exit code 3");
    });
  }
}

TEST(ProgramVerifierTest, APathThatIsNoProgramIsRefused) {
  ExpectUsageError("./no/such/verifier", {}, "no such file");
  ExpectUsageError(HONE_SOURCE_DIR "/README.md", {}, "chmod +x");
  ExpectUsageError(kProgram, {{"timeout_s", "soon"}}, "timeout_s");
  ExpectUsageError(kProgram, {{"args", "x"}}, "args: expected a list of texts");
}

TEST(ProgramVerifierTest, AProgramThatNeverAnswersGivesErrorsAndNoHang) {
  const auto verifier = Make(kProgram, {{"args", {"--dead"}}});
  for (const Verdict& verdict : ScoreAll(*verifier, {"a", "b", "c"})) {
    ASSERT_TRUE(verdict.error);
    EXPECT_THAT(*verdict.error, HasSubstr("exit code 7"));
  }
}

TEST(LibraryVerifierTest, OnlyTheSampleThatBreaksTheLibraryGetsAnError) {
  const auto verifier = Make(kLibrary);
  EXPECT_EQ(verifier->name(), "faulty");
  ExpectOneError(*verifier, "segv", ErrorCause::kCrash, "signal 11");
  ExpectOneError(*verifier, "abort", ErrorCause::kCrash, "signal 6");
  ExpectOneError(*verifier, "throw", ErrorCause::kCrash, "signal 6");
  ExpectOneError(*verifier, "exit", ErrorCause::kCrash, "exit code 0");
  ExpectOneError(*verifier, "nan", ErrorCause::kUndecided, "no finite number");
  ExpectOneError(*verifier, "undecided", ErrorCause::kUndecided, "cannot tell");
}

TEST(LibraryVerifierTest, ALibraryThatHangsIsATimeout) {
  const auto verifier = Make(kLibrary, {{"timeout_s", 0.5}, {"start_timeout_s", 0.5}});
  ExpectOneError(*verifier, "hang", ErrorCause::kTimeout, "no answer within");
}

TEST(LibraryVerifierTest, WhatCannotBeLoadedIsRefusedWithTheReason) {
  ExpectUsageError(HONE_BINARY_DIR "/libfaulty_verifier_abi.so", {},
                   "was made for version 99 of the interface");
  ExpectUsageError(HONE_BINARY_DIR "/libfaulty_verifier_function.so", {},
                   "no function hone_verifier_plugin");
  ExpectUsageError(kLibrary, {{"refuse", true}}, "the option refuse is not wanted");
  const fs::path text = fs::temp_directory_path() / "hone_no_library.so";
  std::FILE* file = std::fopen(text.c_str(), "w");
  std::fputs("text", file);
  std::fclose(file);
  ExpectUsageError(text.string(), {}, "cannot be loaded");
  fs::remove(text);
}

TEST(ExampleVerifierTest, TheExamplesRun) {
  const Json columns = {{"answer", 42}};
  const auto program = ScoreAll(*Make(HONE_SOURCE_DIR "/examples/verifiers/shortest.py"),
                                {"It is 42", "It is 41"}, columns);
  EXPECT_NEAR(program[0].reward, 1 / 1.008, 1e-12);
  EXPECT_EQ(program[1].reward, 0);
  const std::string library = HONE_BINARY_DIR "/libeven_words.so";
  EXPECT_EQ(ScoreAll(*Make(library), {"one two", "one two three"})[0].reward, 1);
  EXPECT_EQ(ScoreAll(*Make(library, {{"odd", true}}), {"one two", "one"})[1].reward, 1);
  EXPECT_THAT(*ScoreAll(*Make(library), {""})[0].error, HasSubstr("no words"));
}

}  // namespace
}  // namespace hone
