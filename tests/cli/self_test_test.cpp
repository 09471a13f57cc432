// Verifiers prove themselves at the start of `hone train`.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "small_run.h"

namespace hone {
namespace {
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct SelfTestTest : ::testing::Test {
  static void SetUpTestSuite() { run = new SmallRun(2); }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }
  static SmallRun* run;

  Outcome Train(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"train", "grpo.toml", "--set", "run.steps=1", "--set", "run.name=" + name});
    return run->place.Run(more);
  }
  nlohmann::json Report(const std::string& name) {
    return nlohmann::json::parse(Slurp(run->Folder(name) / "self_test.json"));
  }
};
SmallRun* SelfTestTest::run = nullptr;

TEST_F(SelfTestTest, IsSaidKeptAndNotRepeatedOnResume) {
  const Outcome first = Train("first");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("self-test: arithmetic: 60 right answers: 60 accepted"));
  const auto report = Report("first");
  EXPECT_EQ(report["passed"], true);
  EXPECT_EQ(report["verifiers"][0]["untested"], "it judges no answers");  // random
  EXPECT_EQ(report["verifiers"][1]["gold"]["accepted"], 60);
  EXPECT_EQ(report["verifiers"][1]["attacks"]["accepted"], 0);
  const Outcome again = Train("first", {"--resume", "--set", "run.steps=2"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, Not(HasSubstr("self-test")));
}

TEST_F(SelfTestTest, AWrongAnswerColumnStopsTheRunBeforeAnyStepAndNamesTheLine) {
  run->place.Write("words.jsonl",
                   "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n"
                   "{\"prompt\": \"1+2=\", \"answer\": \"three\"}\n");
  const Outcome outcome = Train("words", {"--set", "data.train=words.jsonl"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("arithmetic accepts 1 of 2 right answers"),
                                 HasSubstr("words.jsonl: line 2"), HasSubstr("three"),
                                 HasSubstr("max_gold_refused")));
  EXPECT_FALSE(fs::exists(run->Folder("words") / "metrics.jsonl"));
  EXPECT_EQ(Report("words")["passed"], false);
  // Named as the way out, and one.
  const Outcome bound = Train(
      "words", {"--set", "data.train=words.jsonl", "--set", "self_test.max_gold_refused=0.5"});
  EXPECT_EQ(bound.exit_code, 0) << bound.err;
  const Outcome off =
      Train("off", {"--set", "data.train=words.jsonl", "--set", "self_test.enabled=false"});
  EXPECT_EQ(off.exit_code, 0) << off.err;
  EXPECT_FALSE(fs::exists(run->Folder("off") / "self_test.json"));
}

TEST_F(SelfTestTest, AVerifierThatPaysForGuessesStopsTheRun) {
  run->place.Write("hundred.jsonl", "{\"prompt\": \"99+1=\", \"answer\": \"#### 100\"}\n");
  const Outcome outcome =
      Train("guesses", {"--set", "data.train=hundred.jsonl", "--set", "reward.1.verifier=gsm8k",
                        "--set", "reward.1.match=flexible"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("gsm8k accepts"), HasSubstr("max_attacks_accepted"),
                                 HasSubstr("guesses"), HasSubstr("hundred.jsonl: line 1")));
}

TEST_F(SelfTestTest, ChangesNoBitOfTheRun) {
  EXPECT_EQ(Train("with").exit_code, 0);
  EXPECT_EQ(Train("without", {"--set", "self_test.enabled=false"}).exit_code, 0);
  run->ExpectSame("with", "without", "step-000001");
}

TEST_F(SelfTestTest, AVerifierOfOnesOwnIsStartedOnceAndProvedByItsTemplate) {
  run->place.Write("judge.py",
                   "#!/usr/bin/env python3\nimport json, sys\nopen('starts', 'a').write('x')\n"
                   "for line in sys.stdin:\n    s = json.loads(line)\n"
                   "    r = float(s['completion'].endswith('= ' + s['columns']['answer']))\n"
                   "    print(json.dumps({'reward': r}), flush=True)\n");
  ::chmod((run->place / "judge.py").c_str(), 0755);
  const std::vector<std::string> own = {"--set", "reward.1.verifier=./judge.py", "--set",
                                        "reward.1.processes=1"};
  const Outcome unproved = Train("unproved", own);
  EXPECT_EQ(unproved.exit_code, 0) << unproved.err;
  EXPECT_THAT(unproved.err, HasSubstr("self-test: judge: not tested"));
  EXPECT_EQ(Slurp(run->place / "starts"), "x");
  auto proved = own;
  proved.insert(proved.end(), {"--set", "reward.1.gold_template=it is = {answer}"});
  EXPECT_THAT(Train("proved", proved).err, HasSubstr("self-test: judge: 50 right answers: 50 acc"));
  proved.back() = "reward.1.gold_template=it is {answer}";
  EXPECT_EQ(Train("refuted", proved).exit_code, 1);
  proved.back() = "reward.1.gold_template=it is {answer";
  const Outcome wrong = Train("wrong", proved);
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("gold_template: expected {column}"));
}

}  // namespace
}  // namespace hone
