// Bad input through the front door: a clear error, the right exit code, nothing lost.
#include <sys/mount.h>

#include "packed_bytes.h"
#include "small_run.h"

namespace hone {
namespace {

struct BadInputTest : ::testing::Test {
  static void SetUpTestSuite() { run = new SmallRun(2); }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }
  static SmallRun* run;

  // The command fails with this code, and its message holds all the parts.
  void ExpectFails(const std::vector<std::string>& arguments, int code,
                   const std::vector<std::string>& parts, const std::string& input = "") {
    const Outcome outcome = run->place.Run(arguments, {}, input);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    for (const auto& part : parts)
      EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }

  // A copy of the cold start's folder to damage.
  fs::path Copy(const std::string& name) {
    fs::remove_all(run->place / name);
    fs::copy(run->place / "runs/sft/checkpoints/step-000002", run->place / name,
             fs::copy_options::recursive);
    return run->place / name;
  }
};
SmallRun* BadInputTest::run = nullptr;

TEST_F(BadInputTest, WrongUsageIsTwo) {
  ExpectFails({}, 2, {});
  ExpectFails({"trian", "x.toml"}, 2, {});
  ExpectFails({"train", "grpo.toml", "--set", "rollout.temprature=1"}, 2,
              {"temprature", "temperature"});
  ExpectFails({"train", "grpo.toml", "--set", "rollout.num_generations=1"}, 2,
              {"grpo.toml", "num_generations", "at least 2"});
  ExpectFails({"train", "grpo.toml", "--set", "policy.dtype=f16"}, 2,
              {"[policy] dtype", "\"f32\", \"bf16\""});
  ExpectFails({"generate", "--model", "model", "--prompts", "train.jsonl", "--dtype", "f16"}, 2,
              {"policy.dtype", "\"f32\" or \"bf16\"", "\"f16\""});
  run->place.Write("broken.toml", "[run]\nsteps = many\n");
  ExpectFails({"train", "broken.toml"}, 2, {"broken.toml:2"});
}

TEST_F(BadInputTest, MissingFilesAreThreeAndNamed) {
  ExpectFails({"train", "nowhere.toml"}, 3, {"nowhere.toml"});
  ExpectFails({"train", "grpo.toml", "--set", "run.name=m1", "--set", "policy.model=nowhere"}, 3,
              {"nowhere"});
  ExpectFails({"train", "grpo.toml", "--set", "run.name=m2", "--set", "data.train=nowhere.jsonl"},
              3, {"nowhere.jsonl"});
  ExpectFails({"generate", "--model", "model", "--prompts", "nowhere.jsonl"}, 3, {"nowhere.jsonl"});
  const fs::path folder = Copy("no_weights");
  fs::remove(folder / "model.safetensors");
  ExpectFails({"generate", "--model", "no_weights", "--prompts", "train.jsonl"}, 3,
              {"model.safetensors"});
}

TEST_F(BadInputTest, TruncatedWeightsAreThree) {
  const fs::path file = Copy("truncated") / "model.safetensors";
  fs::resize_file(file, fs::file_size(file) - 100);
  ExpectFails({"generate", "--model", "truncated", "--prompts", "train.jsonl"}, 3,
              {"model.safetensors"});
  fs::resize_file(file, 5);
  ExpectFails({"generate", "--model", "truncated", "--prompts", "train.jsonl"}, 3,
              {"model.safetensors"});
}

TEST_F(BadInputTest, AHeaderThatLiesAboutSizesIsThree) {
  const fs::path file = Copy("lying") / "model.safetensors";
  const std::string good = Slurp(file);
  const auto damage = [&](const std::string& from, const std::string& to) {
    std::string bad = good;
    const auto at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    ASSERT_EQ(from.size(), to.size());
    bad.replace(at, from.size(), to);
    std::ofstream(file, std::ios::binary) << bad;
    ExpectFails({"generate", "--model", "lying", "--prompts", "train.jsonl"}, 3,
                {"model.safetensors"});
  };
  damage("\"shape\":[64]", "\"shape\":[65]");
  damage("\"data_offsets\":[0,", "\"data_offsets\":[4,");
  std::string huge = good;
  huge[7] = '\x7f';  // the header's length
  std::ofstream(file, std::ios::binary) << huge;
  ExpectFails({"generate", "--model", "lying", "--prompts", "train.jsonl"}, 3,
              {"model.safetensors", "header"});
}

TEST_F(BadInputTest, ATokenizerWithoutMergesIsThree) {
  const fs::path file = Copy("no_merges") / "tokenizer.json";
  auto tokenizer = nlohmann::json::parse(Slurp(file));
  tokenizer["model"].erase("merges");
  std::ofstream(file) << tokenizer.dump();
  ExpectFails({"generate", "--model", "no_merges", "--prompts", "train.jsonl"}, 3,
              {"tokenizer.json", "merges"});
  ExpectFails({"tokenize", "--model", "no_merges"}, 3, {"merges"}, "\"a\"\n");
}

TEST_F(BadInputTest, ADataLineThatIsNoJsonIsThreeAndNamedByLine) {
  run->place.Write("bad.jsonl", "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \n");
  ExpectFails({"train", "grpo.toml", "--set", "run.name=b1", "--set", "data.train=bad.jsonl"}, 3,
              {"bad.jsonl", "line 2"});
  ExpectFails({"sft", "sft.toml", "--set", "run.name=b2", "--set", "data.train=bad.jsonl"}, 3,
              {"bad.jsonl"});
  ExpectFails({"generate", "--model", "model", "--prompts", "bad.jsonl"}, 3,
              {"bad.jsonl", "line 2"});
  ExpectFails({"score", "--verifier", "format"}, 3, {"line 2"}, "{\"completion\": \"x\"}\nno\n");
}

TEST_F(BadInputTest, APromptOverTheLimitIsThreeAndNamedByLine) {
  run->place.Write("long.jsonl", "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"" +
                                     std::string(40, '1') + "\", \"answer\": \"2\"}\n");
  ExpectFails({"train", "grpo.toml", "--set", "run.name=l1", "--set", "data.train=long.jsonl",
               "--set", "rollout.max_prompt_length=16"},
              3, {"long.jsonl", "line 2", "16"});
}

TEST_F(BadInputTest, BadRowsAreSkippedAndCountedWhenAskedFor) {
  run->place.Write("mixed.jsonl", "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\nno\n{\"prompt\": \"" +
                                      std::string(40, '1') + "\", \"answer\": \"2\"}\n");
  const std::vector<std::string> arguments = {
      "train", "grpo.toml",          "--set", "data.train=mixed.jsonl",
      "--set", "run.steps=1",        "--set", "rollout.max_prompt_length=16",
      "--set", "data.on_error=skip", "--set"};
  auto skipping = arguments;
  skipping.push_back("run.name=skipping");
  const Outcome outcome = run->place.Run(skipping);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const std::string part : {"2 of 3 rows are skipped", "1 no JSON object", "1 prompt too long",
                                 "mixed.jsonl: line 2"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << outcome.err;
  }
  const auto report = nlohmann::json::parse(Slurp(run->Folder("skipping") / "data.json"));
  EXPECT_EQ(report["kept"], 1);
  EXPECT_EQ(report["skipped"]["prompt too long"], 1);
  ExpectFails({"train", "grpo.toml", "--set", "run.name=b3", "--set", "data.train=mixed.jsonl",
               "--set", "data.on_error=never"},
              2, {"on_error", "\"stop\"", "\"skip\""});
  ExpectFails(
      {"train", "grpo.toml", "--set", "run.name=b4", "--set", "data.prompt_template=\\boxed{}"}, 2,
      {"prompt_template", "{{"});
}

TEST_F(BadInputTest, ADataFileThatIsCutOrOfAnotherFormatIsThreeInEveryCommand) {
  const std::string packed = testing::Gzip(Slurp(run->place / "train.jsonl"));
  run->place.Write("cut.jsonl.gz", packed.substr(0, packed.size() / 2));
  run->place.Write("lfs.parquet", "version https://git-lfs.github.com/spec/v1\n");
  for (const std::vector<std::string>& parts :
       {std::vector<std::string>{"cut.jsonl.gz", "line ", "gzip"},
        {"lfs.parquet", "git lfs pull"}}) {
    const std::string& file = parts[0];
    ExpectFails({"train", "grpo.toml", "--set", "run.name=c1", "--set", "data.train=" + file,
                 "--set", "data.on_error=skip"},
                3, parts);
    ExpectFails({"sft", "sft.toml", "--set", "run.name=c2", "--set", "data.train=" + file, "--set",
                 "data.on_error=skip"},
                3, parts);
    ExpectFails({"generate", "--model", "model", "--prompts", file}, 3, parts);
    ExpectFails({"logprobs", "--model", "model", "--input", file}, 3, {file});
    ExpectFails({"eval", "--model", "model", "--data", file, "--verifier", "arithmetic"}, 3, parts);
    ExpectFails({"score", "--verifier", "format", "--input", file}, 3, {file});
  }
}

TEST_F(BadInputTest, ParquetWithoutItsReaderNamesTheCommandThatMendsIt) {
  run->place.Write("data.parquet", "PAR1....PAR1");
  const Outcome outcome =
      run->place.Run({"generate", "--model", "model", "--prompts", "data.parquet"},
                     {"HONE_PARQUET_MODULE=/nowhere/libhone_parquet.so"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("make parquet"), std::string::npos) << outcome.err;
}

TEST_F(BadInputTest, ARunIsNotOverwritten) {
  run->Train("once", {"--set", "run.steps=1"});
  ExpectFails({"train", "grpo.toml", "--set", "run.name=once", "--set", "run.steps=1"}, 2,
              {"--resume"});
}

TEST_F(BadInputTest, AFullDiskDuringACheckpointEndsTheRunAndKeepsTheLastOne) {
  const fs::path disk = run->place / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2500k") != 0) {
    GTEST_SKIP() << "no tmpfs can be mounted here (needs root): " << std::strerror(errno);
  }
  struct Unmount {
    fs::path path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{disk};
  const Outcome outcome = run->place.Run({"train", "grpo.toml", "--set", "run.name=full", "--set",
                                          "run.output_dir=disk", "--set", "run.steps=40", "--set",
                                          "checkpoint.every=1"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("No space left"), std::string::npos) << outcome.err;
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(disk / "full/checkpoints")) {
    EXPECT_EQ(entry.path().filename().string().rfind("step-", 0), 0u)
        << "left behind: " << entry.path();
    if (entry.path() > newest) newest = entry.path();
  }
  ASSERT_FALSE(newest.empty());
  run->place.Ok(
      {"generate", "--model", newest.string(), "--prompts", "train.jsonl", "--max-tokens", "2"});
  // With room again the run goes on from there.
  for (const auto& entry : fs::directory_iterator(disk / "full/checkpoints")) {
    if (entry.path() != newest) fs::remove_all(entry.path());
  }
  const std::string steps = std::to_string(std::stoi(newest.filename().string().substr(5)) + 1);
  run->place.Ok({"train", "grpo.toml", "--set", "run.name=full", "--set", "run.output_dir=disk",
                 "--set", "run.steps=" + steps, "--resume"});
}

}  // namespace
}  // namespace hone
