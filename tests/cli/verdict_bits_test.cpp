// Verdicts that only a clock can bound are part of the run's pure function all the same: what was
// said once holds, on whatever machine the run goes on.
#include "small_run.h"

namespace hone {
namespace {

// Its answers depend on how often it was asked of a sample, which it notes in the folder that is
// its argument. Of group 5, sample 1 is slow the first two times: with the others, and then alone;
// then it is fast. Of group 9, sample 0 is fast the first time, and slow ever after.
constexpr char kMoody[] = R"(#!/usr/bin/env python3
import json, os, sys, time
for line in sys.stdin:
    sample = json.loads(line)
    key = "%d-%d" % (sample["group"], sample["index"])
    note = os.path.join(sys.argv[1], key)
    with open(note, "a+") as file:
        file.seek(0)
        asked = len(file.read())
        file.write("x")
    if (key == "5-1" and asked < 2) or (key == "9-0" and asked > 0):
        time.sleep(60)
    print(json.dumps({"reward": len(sample["completion"]) % 5 / 4}), flush=True)
)";

struct VerdictBitsTest : ::testing::Test {
  static void SetUpTestSuite() {
    run = new SmallRun;
    run->place.Write("moody.py", kMoody);
    fs::permissions(run->place / "moody.py", fs::perms::owner_all);
  }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }

  // A run of 5 batches of 4 groups and no checkpoint but the last.
  static std::vector<std::string> Command(const std::string& name) {
    fs::create_directories(run->place / ("notes-" + name));
    std::string config = Slurp(run->place / "grpo.toml");
    config +=
        "[[reward]]\nverifier = \"./moody.py\"\nprocesses = 1\ntimeout_s = 5\n"
        "start_timeout_s = 10\nargs = [\"notes-" +
        name + "\"]\n";
    run->place.Write(name + ".toml", config);
    return {"train", name + ".toml",         "--set",   "run.name=" + name, "--set", "run.steps=5",
            "--set", "checkpoint.every=100", "--resume"};
  }

  // Starts the run and kills it as soon as `reached` holds.
  template <class Reached>
  static void KillWhen(const std::string& name, const Reached& reached) {
    const pid_t child = run->place.Start(Command(name));
    for (int i = 0; i < 60'000 && !reached(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::kill(child, SIGKILL);
    EXPECT_EQ(run->place.Wait(child).exit_code, -SIGKILL) << "the run ended before it was killed";
  }
  static bool HasTrace(const std::string& name, int step) {
    return fs::exists(run->Folder(name) /
                      ("traces/step-00000" + std::to_string(step) + ".jsonl.zst"));
  }

  // Every metric but times and memory.
  static std::vector<nlohmann::json> Metrics(const std::string& name) {
    std::vector<nlohmann::json> lines = run->Lines(name, "metrics.jsonl");
    for (auto& line : lines) {
      for (auto key = line.begin(); key != line.end();) {
        const bool differs = key.key().starts_with("time/") || key.key() == "step_time" ||
                             key.key() == "tokens_per_second" || key.key() == "rss_bytes";
        key = differs ? line.erase(key) : std::next(key);
      }
    }
    return lines;
  }

  static SmallRun* run;
};
SmallRun* VerdictBitsTest::run = nullptr;

TEST_F(VerdictBitsTest, ATimeOutIsNotJudgedAnewAfterAKill) {
  run->place.Ok(Command("calm"));
  const auto calm = Metrics("calm");
  ASSERT_EQ(calm.size(), 5u);
  EXPECT_EQ(calm[1].at("rewards/moody/errors/timeout"), 1);
  EXPECT_EQ(calm[2].at("rewards/moody/errors"), 0);

  // In the middle of the batch; past it; and past the sample that is slow the second time.
  KillWhen("stormy", [] {
    const std::string ledger = Slurp(run->Folder("stormy") / "ledger.jsonl");
    return ledger.find("timeout") != std::string::npos;
  });
  KillWhen("stormy", [] { return HasTrace("stormy", 2); });
  KillWhen("stormy", [] { return HasTrace("stormy", 4); });
  EXPECT_FALSE(fs::exists(run->Folder("stormy") / "checkpoints/step-000004"));
  run->place.Ok(Command("stormy"));

  run->ExpectSame("calm", "stormy", "step-000005");
  EXPECT_EQ(Metrics("stormy"), calm);
  EXPECT_EQ(Slurp(run->place / "notes-stormy/5-1"), Slurp(run->place / "notes-calm/5-1"));
  EXPECT_EQ(Slurp(run->place / "notes-stormy/9-0"), "x");
  std::set<std::string> verdicts[2];
  for (int i = 0; i < 2; ++i) {
    for (auto line : run->Lines(i == 0 ? "calm" : "stormy", "ledger.jsonl")) {
      if (!line.contains("verdicts")) continue;
      line["verdicts"].erase("judged");  // also of `args`, which differ
      EXPECT_TRUE(verdicts[i].insert(line.dump()).second) << line << " twice";
    }
  }
  EXPECT_EQ(verdicts[0].size(), 20u);
  EXPECT_EQ(verdicts[0], verdicts[1]);
}

TEST_F(VerdictBitsTest, VerdictsOfAnotherConfigAreNotUsedAndTheLogSaysSo) {
  KillWhen("other", [] { return HasTrace("other", 2); });
  std::vector<std::string> command = Command("other");
  command.insert(command.end(), {"--set", "reward.3.timeout_s=4.5"});
  const Outcome outcome = run->place.Run(command);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the ledger has verdicts of moody on other completions, or by other"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(Metrics("other")[1].at("rewards/moody/errors"), 0);  // it was asked, and was fast
}

// The reward stage may be slower than the rest: generation has gone on meanwhile, and the user
// hears which verifier it is.
TEST_F(VerdictBitsTest, TheVerifierThatHoldsUpTheRunIsNamed) {
  run->place.Write("sleeper.py",
                   "#!/usr/bin/env python3\nimport sys, time\nfor line in sys.stdin:\n"
                   "    time.sleep(0.4)\n    print('{\"reward\": 1}', flush=True)\n");
  fs::permissions(run->place / "sleeper.py", fs::perms::owner_all);
  run->place.Write("sleeper.toml", Slurp(run->place / "grpo.toml") +
                                       "[[reward]]\nverifier = \"./sleeper.py\"\nprocesses = 1\n");
  const Outcome outcome = run->place.Run(
      {"train", "sleeper.toml", "--set", "run.name=sleeper", "--set", "run.steps=2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the slowest verifier is sleeper ("), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("time by stage: rollout "), std::string::npos) << outcome.err;
  for (const auto& step : run->Lines("sleeper", "metrics.jsonl")) {
    // 16 samples of 0.4 s one after another, while generation went on to the batch's end.
    EXPECT_GT(step.at("time/reward/sleeper").get<double>(), 6.4);
    EXPECT_GT(step.at("time/reward").get<double>(), step.at("time/rollout").get<double>());
    EXPECT_LT(step.at("time/reward/random").get<double>(), 0.1);
  }
  run->Train("quick", {"--set", "run.steps=2"});
  EXPECT_EQ(Slurp(run->place / "stderr").find("hold up"), std::string::npos);
}

}  // namespace
}  // namespace hone
