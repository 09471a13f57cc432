// A run is a pure function of config, data and seed: shown on the files that the program leaves.
#include <random>

#include "small_run.h"

namespace hone {
namespace {

struct RunBitsTest : ::testing::Test {
  static void SetUpTestSuite() {
    run = new SmallRun;
    run->Train("base", {"--threads", "2"});
  }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }
  static SmallRun* run;
};
SmallRun* RunBitsTest::run = nullptr;

TEST_F(RunBitsTest, SameConfigTwiceGivesTheSameBytesAndAnotherSeedDoesNot) {
  run->Train("again", {"--threads", "2"});
  run->ExpectSame("base", "again");
  run->Train("seed", {"--set", "run.seed=4"});
  EXPECT_NE(Slurp(run->Folder("base") / "checkpoints/step-000004/model.safetensors"),
            Slurp(run->Folder("seed") / "checkpoints/step-000004/model.safetensors"));
}

TEST_F(RunBitsTest, OneThreadOrThree) {
  run->Train("threads1", {"--threads", "1"});
  run->Train("threads3", {"--threads", "3"});
  run->ExpectSame("base", "threads1");
  run->ExpectSame("base", "threads3");
}

TEST_F(RunBitsTest, OneWorkerOrThree) {
  run->Train("workers3", {"--set", "rollout.workers=3"});
  run->ExpectSame("base", "workers3");
}

TEST_F(RunBitsTest, AnyCutIntoMicroBatchesOfWholeGroups) {
  run->Train("micro",
             {"--set", "learner.micro_batch_tokens=120"});  // a group has at most 4 + 4 * 24
  run->ExpectSame("base", "micro");
}

TEST_F(RunBitsTest, ActivationsKeptOrComputedAgain) {
  run->Train("computed", {"--set", "learner.activation_cache_mib=0"});
  run->ExpectSame("base", "computed");
}

TEST_F(RunBitsTest, AnyInstructionSet) {
  run->Train("scalar", {}, {"HONE_ISA=scalar"});
  run->ExpectSame("base", "scalar");
  for (const std::string isa : {"avx2", "avx512"}) {
    if (!(isa == "avx2" ? __builtin_cpu_supports("avx2") : __builtin_cpu_supports("avx512dq"))) {
      std::printf("skipped: this machine has no %s\n", isa.c_str());
      continue;
    }
    run->Train(isa, {}, {"HONE_ISA=" + isa});
    run->ExpectSame("base", isa);
  }
}

TEST_F(RunBitsTest, SamplerAndLearnerAgreeToTheBitInEveryStep) {
  const auto metrics = run->Lines("base", "metrics.jsonl");
  ASSERT_EQ(metrics.size(), 4u);
  for (const auto& step : metrics)
    EXPECT_EQ(step.at("policy/logprob_max_abs_diff").get<double>(), 0.0);
}

TEST_F(RunBitsTest, OfBf16TheyAgreeTooWhateverTheThreadsTheIsaAndAResume) {
  const std::vector<std::string> bf16 = {"--set", "policy.dtype=bf16"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> flags = bf16;
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  };
  run->Train("bf16", with({"--threads", "2"}));
  const auto metrics = run->Lines("bf16", "metrics.jsonl");
  ASSERT_EQ(metrics.size(), 4u);
  for (const auto& step : metrics)
    EXPECT_EQ(step.at("policy/logprob_max_abs_diff").get<double>(), 0.0);
  EXPECT_NE(Slurp(run->Folder("base") / "traces/step-000001.jsonl.zst"),
            Slurp(run->Folder("bf16") / "traces/step-000001.jsonl.zst"));
  EXPECT_NE(Slurp(run->Folder("bf16") / "config.toml").find("dtype = 'bf16'"), std::string::npos);

  run->Train("bf16_threads1", with({"--threads", "1"}), {"HONE_ISA=scalar"});
  run->ExpectSame("bf16", "bf16_threads1");

  fs::copy(run->Folder("bf16"), run->Folder("bf16_resumed"), fs::copy_options::recursive);
  for (const char* step : {"step-000003", "step-000004"})
    fs::remove_all(run->Folder("bf16_resumed") / "checkpoints" / step);
  run->Train("bf16_resumed", with({"--resume"}));
  run->ExpectSame("bf16", "bf16_resumed");
  EXPECT_EQ(run->Lines("bf16_resumed", "metrics.jsonl").size(), 4u);
}

TEST_F(RunBitsTest, LedgerClosesInEveryStep) {
  const auto ledger = run->Lines("base", "ledger.jsonl");
  ASSERT_EQ(ledger.size(), 4u);
  for (const auto& step : ledger) {
    EXPECT_TRUE(step.at("closed").get<bool>());
    EXPECT_EQ(step.at("issued").get<int>(), 4);
    EXPECT_EQ(step.at("trained").get<int>(), 4);
  }
}

TEST_F(RunBitsTest, KilledThreeTimesAndResumedEndsInTheSameBits) {
  const std::vector<std::string> longer = {"--set", "run.steps=40", "--set", "checkpoint.every=2"};
  run->Train("undisturbed", longer);
  std::random_device device;
  const unsigned seed = device();
  SCOPED_TRACE("kill moments drawn with seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::string> train = {"train", "grpo.toml", "--set", "run.name=killed", "--resume"};
  train.insert(train.end(), longer.begin(), longer.end());
  for (int kill = 1; kill <= 3; ++kill) {
    // Pinned to a stretch of the run, and within it at any moment: mid-rollout, mid-step,
    // mid-checkpoint.
    const pid_t child = run->place.Start(train);
    const std::string reached = "traces/step-0000" + std::to_string(10 * kill) + ".jsonl.zst";
    for (int i = 0; i < 60000 && !fs::exists(run->Folder("killed") / reached); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    ::kill(child, SIGKILL);
    EXPECT_EQ(run->place.Wait(child).exit_code, -SIGKILL) << "the run ended before it was killed";
  }
  run->place.Ok(train);
  run->ExpectSame("undisturbed", "killed", "step-000040");
  EXPECT_EQ(run->Lines("killed", "ledger.jsonl"), run->Lines("undisturbed", "ledger.jsonl"));
  EXPECT_EQ(run->Lines("killed", "metrics.jsonl").size(), 40u);
}

TEST_F(RunBitsTest, InterruptLeavesACheckpointAndResumeGoesOn) {
  const pid_t child = run->place.Start({"train", "grpo.toml", "--set", "run.name=stopped", "--set",
                                        "run.steps=100000", "--set", "checkpoint.every=0", "--set",
                                        "optimizer.lr_scheduler_type=constant"});
  for (int i = 0; i < 600 && !fs::exists(run->Folder("stopped") / "traces/step-000002.jsonl.zst");
       ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ::kill(child, SIGINT);
  const Outcome outcome = run->place.Wait(child);
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_FALSE(fs::is_empty(run->Folder("stopped") / "checkpoints"));
  const size_t done = run->Lines("stopped", "metrics.jsonl").size();
  const std::string steps = std::to_string(done + 2);
  run->place.Ok({"train", "grpo.toml", "--set", "run.name=stopped", "--set", "run.steps=" + steps,
                 "--set", "optimizer.lr_scheduler_type=constant", "--resume"});
  run->Train("straight",
             {"--set", "run.steps=" + steps, "--set", "optimizer.lr_scheduler_type=constant"});
  ExpectSameFiles(run->Folder("stopped") / "traces", run->Folder("straight") / "traces");
}

TEST_F(RunBitsTest, ReplayOfARunsOwnTracesGivesItsWeights) {
  run->Train("replayed",
             {"--set", "rollout.source=replay", "--set", "rollout.replay=runs/base/traces"});
  EXPECT_EQ(Slurp(run->Folder("base") / "checkpoints/step-000004/model.safetensors"),
            Slurp(run->Folder("replayed") / "checkpoints/step-000004/model.safetensors"));
}

TEST_F(RunBitsTest, LogprobsOfWhatWasGeneratedAreTheSameBits) {
  run->place.Write("prompts.jsonl", "{\"prompt\": \"3+4=\"}\n{\"prompt\": \"9+9=\"}\n");
  const std::string model = "runs/sft/checkpoints/step-000030";
  const std::string out =
      run->place.Ok({"generate", "--model", model, "--prompts", "prompts.jsonl",
                     "--num-generations", "33", "--max-tokens", "20", "--seed", "9"});
  std::istringstream lines(out);
  std::string input;
  std::vector<nlohmann::json> expected;
  const std::vector<std::string> prompts = {"3+4=", "9+9="};
  for (std::string line; std::getline(lines, line);) {
    const auto result = nlohmann::json::parse(line);
    auto tokens = nlohmann::json::parse(
        run->place.Ok({"tokenize", "--model", model}, {},
                      nlohmann::json(prompts[result["index"]]).dump() + "\n"));
    if (expected.size() % 8 != 0) {  // a few are enough: each is a process of its own
      expected.push_back(result);
      continue;
    }
    const size_t prompt = tokens.size();
    for (const auto& token : result["tokens"]) tokens.push_back(token);
    run->place.Write("sequence.jsonl", nlohmann::json{{"tokens", tokens}}.dump() + "\n");
    const auto scored = nlohmann::json::parse(
        run->place.Ok({"logprobs", "--model", model, "--input", "sequence.jsonl"}));
    for (size_t i = 0; i < result["tokens"].size(); ++i) {
      EXPECT_EQ(scored["logprobs"][prompt - 1 + i].get<double>(),
                result["logprobs"][i].get<double>());
    }
    expected.push_back(result);
  }
  EXPECT_EQ(expected.size(), 66u);
}

}  // namespace
}  // namespace hone
