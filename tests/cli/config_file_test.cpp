#include "cli/config_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/error.h"

namespace hone {
namespace {

const std::string kGood = R"([run]
name = "x"
steps = 7

[policy]
model = "models/m"

[data]
train = "train.jsonl"

[[reward]]
verifier = "exact_match"
weight = 0.9

[[reward]]
verifier = "format"
weight = 0.1
gate = "exact_match"
)";

struct ConfigFileTest : ::testing::Test {
  std::filesystem::path path = std::filesystem::temp_directory_path() /
                               ("hone_config_" + std::to_string(::getpid()) + ".toml");
  void TearDown() override { std::filesystem::remove(path); }

  RunConfig Load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    std::ofstream(path) << text;
    return LoadConfig(Command::kTrain, path, overrides);
  }
  std::string Complaint(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      Load(text, overrides);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  }
  void ExpectComplaint(const std::string& text, const std::vector<std::string>& parts,
                       const std::vector<std::string>& overrides = {}) {
    const std::string complaint = Complaint(text, overrides);
    for (const auto& part : parts) EXPECT_NE(complaint.find(part), std::string::npos) << complaint;
  }
};

TEST_F(ConfigFileTest, ReadsValuesAndKeepsDefaults) {
  const RunConfig run = Load(kGood);
  EXPECT_EQ(run.config.run.steps, 7);
  EXPECT_EQ(run.config.algorithm.loss_type, "dapo");
  EXPECT_EQ(run.config.algorithm.epsilon_high, std::nullopt);
  ASSERT_EQ(run.rewards.size(), 2u);
  EXPECT_EQ(run.rewards[1].gate, "exact_match");
  EXPECT_DOUBLE_EQ(run.rewards[0].weight, 0.9);
  EXPECT_EQ(run.folder(), "runs/x");
}

TEST_F(ConfigFileTest, ResolvedTomlReadsBackToItself) {
  const RunConfig run =
      Load(kGood, {"optimizer.learning_rate=0.1", "rollout.stop=[\"a\\n\", \"b\"]",
                   "algorithm.epsilon_high=0.28"});
  const std::string text = ConfigToToml(Command::kTrain, run);
  const RunConfig again = Load(text);
  EXPECT_EQ(ConfigToToml(Command::kTrain, again), text);
  EXPECT_EQ(again.config.optimizer.learning_rate, 0.1);
  EXPECT_EQ(again.config.rollout.stop, (std::vector<std::string>{"a\n", "b"}));
  EXPECT_EQ(*again.config.algorithm.epsilon_high, 0.28);
}

TEST_F(ConfigFileTest, UnknownKeyNamesFileLineAndNearest) {
  ExpectComplaint(kGood + "\n[rollout]\ntemprature = 0.7\n",
                  {path.string() + ":21", "[rollout] temprature", "\"temperature\""});
  ExpectComplaint(kGood + "\n[rolout]\ntemperature = 0.7\n", {"[rolout]", "\"rollout\""});
  ExpectComplaint(kGood, {"[rollout] top_q", "top_p"}, {"rollout.top_q=0.5"});
}

TEST_F(ConfigFileTest, WrongTypeOrRangeSaysExpectedAndFound) {
  ExpectComplaint(kGood + "\n[rollout]\ntemperature = \"hot\"\n",
                  {":21", "expected a number", "found the string"});
  ExpectComplaint(kGood + "\n[rollout]\nnum_generations = 1\n",
                  {"at least 2", "found the integer 1"});
  ExpectComplaint(kGood + "\n[rollout]\nnum_generations = 2.5\n", {"expected an integer"});
  ExpectComplaint(kGood + "\n[algorithm]\nloss_type = \"grpoo\"\n",
                  {"expected one of", "did you mean \"grpo\""});
  ExpectComplaint(kGood + "\n[optimizer]\nlearning_rate = nan\n", {"expected a number"});
}

TEST_F(ConfigFileTest, TheDtypeIsOneOfTwo) {
  EXPECT_EQ(Load(kGood).config.policy.dtype, "f32");
  const RunConfig run = Load(kGood, {"policy.dtype=bf16"});
  EXPECT_EQ(run.config.policy.dtype, "bf16");
  EXPECT_EQ(Load(ConfigToToml(Command::kTrain, run)).config.policy.dtype, "bf16");
  ExpectComplaint(kGood, {"[policy] dtype: expected one of \"f32\", \"bf16\", found", "bfloat16"},
                  {"policy.dtype=bfloat16"});
}

TEST_F(ConfigFileTest, ImpossibleCombinationsAreRefused) {
  ExpectComplaint(kGood + "\n[algorithm]\nepsilon_high = 0.1\n",
                  {"epsilon_high", "at least epsilon"});
  ExpectComplaint(kGood + "\n[rollout]\nsource = \"replay\"\n",
                  {"[rollout] replay", "expected a file"});
  ExpectComplaint(kGood, {"device", "exact"}, {"policy.device=cuda"});
  ExpectComplaint(kGood, {"[run] name"}, {"run.name=a/b"});
  ExpectComplaint("[run]\nname = \"x\"\n", {"[policy] model", "found none"});
}

TEST_F(ConfigFileTest, RewardsAreChecked) {
  ExpectComplaint(kGood + "\n[[reward]]\nverifier = \"formt\"\n", {":20", "format"});
  ExpectComplaint(kGood, {"gate"}, {"reward.1.gate=nobody"});
  EXPECT_DOUBLE_EQ(Load(kGood, {"reward.0.weight=0.5"}).rewards[0].weight, 0.5);
  ExpectComplaint(kGood, {"reward.N.key"}, {"reward.7.weight=0.5"});
}

TEST_F(ConfigFileTest, MakesTheVerifierOfEachRewardWithTheDatasAnswerColumn) {
  const RunConfig run = Load(kGood, {"data.answer_column=gold"});
  ASSERT_EQ(run.verifiers.size(), 2u);
  EXPECT_EQ(run.verifiers[0]->name(), "exact_match");
  EXPECT_EQ(run.verifiers[1]->name(), "format");
  EXPECT_EQ(run.verifiers[0]->GoldAnswer({{"gold", "7"}}), "<answer>7</answer>");
  EXPECT_EQ(run.verifiers[0]->GoldAnswer({{"answer", "7"}}), std::nullopt);
}

TEST_F(ConfigFileTest, TheSelfTestHasBoundsAndARewardATemplateOfWhatIsRight) {
  const RunConfig run =
      Load(kGood, {"self_test.max_gold_refused=0.5", "reward.0.gold_template=\\boxed{{{answer}}}"});
  EXPECT_EQ(run.config.self_test.max_gold_refused, 0.5);
  EXPECT_EQ(run.rewards[0].gold_template, "\\boxed{{{answer}}}");
  EXPECT_EQ(Load(ConfigToToml(Command::kTrain, run)).rewards[0].gold_template,
            "\\boxed{{{answer}}}");
  ExpectComplaint(kGood, {"[self_test] max_gold_refused", "at most 1"},
                  {"self_test.max_gold_refused=2"});
  ExpectComplaint(kGood, {"gold_template: expected {column}"},
                  {"reward.0.gold_template=\\boxed{}"});
  ExpectComplaint(kGood, {"[reward] gold_template", "found the integer 3"},
                  {"reward.0.gold_template=3"});
}

TEST_F(ConfigFileTest, ARewardMayBeClipped) {
  const RunConfig run = Load(kGood, {"reward.0.min=-1", "reward.0.max=0.5"});
  EXPECT_EQ(run.rewards[0].min, -1);
  EXPECT_EQ(run.rewards[0].max, 0.5);
  EXPECT_EQ(run.rewards[1].max, std::numeric_limits<double>::infinity());
  const std::string text = ConfigToToml(Command::kTrain, run);
  EXPECT_NE(text.find("min = -1.0\nmax = 0.5\n"), std::string::npos) << text;
  EXPECT_EQ(ConfigToToml(Command::kTrain, Load(text)), text);
  ExpectComplaint(kGood, {"[[reward]] min: expected at most max (0.5), found 0.75"},
                  {"reward.0.min=0.75", "reward.0.max=0.5"});
  ExpectComplaint(kGood, {"max", "expected a finite number"}, {"reward.0.max=nan"});
  ExpectComplaint(kGood, {"min", "expected a finite number"}, {"reward.0.min=\"low\""});
}

TEST_F(ConfigFileTest, RewardsAloneComeBackAsTheyWere) {
  const std::string url =
      "\n[[reward]]\nverifier = \"http://127.0.0.1:1/score\"\non_error = \"stop\"\n"
      "timeout_s = 2.5\n\"a b\" = \"tab\\t, quote \\\", é\"\nwords = [\"x\", \"y\"]\n";
  const RunConfig run = Load(kGood + url);
  const auto read = RewardsFromToml(RewardsToToml(run.rewards), "the run's rewards", 7).rewards;
  ASSERT_EQ(read.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read[i].verifier, run.rewards[i].verifier);
    EXPECT_EQ(read[i].weight, run.rewards[i].weight);
    EXPECT_EQ(read[i].gate, run.rewards[i].gate);
    EXPECT_EQ(read[i].on_error, run.rewards[i].on_error);
    EXPECT_EQ(read[i].options, run.rewards[i].options);
  }
  EXPECT_THROW(RewardsFromToml("[[reward]]\nverifier = \"maths\"\n", "x", 0), UsageError);
  EXPECT_THROW(RewardsFromToml("[run]\nseed = 1\n", "x", 0), UsageError);
  EXPECT_THROW(RewardsFromToml("verifier", "x", 0), UsageError);
}

TEST_F(ConfigFileTest, WorkersOfOtherProcessesAreOfThisMachine) {
  EXPECT_EQ(Load(kGood).config.transport.bind, "");
  const std::string bind = "[transport]\nbind = \"ipc://door\"\n";
  EXPECT_EQ(Load(kGood + bind + "reward_workers = 0\n").config.transport.reward_workers, 0);
  ExpectComplaint(kGood + "[transport]\nreward_workers = 0\n", {"reward_workers", "bind"});
  ExpectComplaint(kGood + "[transport]\nbind = \"tcp://0.0.0.0:1\"\n",
                  {"[transport] bind", "only this machine may reach it"});
}

TEST_F(ConfigFileTest, BrokenTomlNamesTheLineAndMissingFileIsABadFile) {
  ExpectComplaint("[run]\nname = \n", {path.string() + ":2", "expected TOML"});
  EXPECT_THROW(LoadConfig(Command::kTrain, "/nowhere/x.toml", {}), FileError);
}

TEST_F(ConfigFileTest, SftRefusesSectionsWithoutMeaningForIt) {
  std::ofstream(path) << "[policy]\nmodel = \"m\"\n[data]\ntrain = \"t\"\n[rollout]\nworkers = 1\n";
  EXPECT_THROW(LoadConfig(Command::kSft, path, {}), UsageError);
}

}  // namespace
}  // namespace hone
