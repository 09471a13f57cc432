// hone export through the front door.
#include <sys/mount.h>

#include "policy/files/gguf_model.h"
#include "policy/files/model_folder.h"
#include "policy/files/rounding.h"
#include "policy/files/safetensors.h"
#include "small_run.h"

namespace hone {
namespace {

// A checkpoint of a short run.
struct ExportTest : ::testing::Test {
  static void SetUpTestSuite() { run = new SmallRun(2); }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }
  static SmallRun* run;

  const std::string checkpoint = "runs/sft/checkpoints/step-000002";

  Json Export(const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"export", checkpoint};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return Json::parse(run->place.Ok(all));
  }
  void ExpectFails(const std::vector<std::string>& arguments, int code, const std::string& part) {
    std::vector<std::string> all = {"export", checkpoint};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Outcome outcome = run->place.Run(all);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }
};
SmallRun* ExportTest::run = nullptr;

TEST_F(ExportTest, AsItIsTheFolderHoldsThePolicyAndNoTrainer) {
  const Json line = Export({"--output", "hf"});
  EXPECT_EQ(line["format"], "hf");
  EXPECT_EQ(line["dtype"], "f32");
  EXPECT_EQ(line["probe_max_abs_diff"], 0.0);
  EXPECT_FALSE(fs::exists(run->place / "hf/trainer"));
  const ModelFolder before = LoadModelFolder(run->place / checkpoint),
                    after = LoadModelFolder(run->place / "hf");
  EXPECT_EQ(before.weights->fingerprint, after.weights->fingerprint);
  EXPECT_EQ(before.companions, after.companions);
  EXPECT_EQ(line["tensors"], after.layout.tensors.size());
  // Again over what it wrote, and the program goes on with it.
  Export({"--output", "hf"});
  EXPECT_EQ(
      run->place
          .Run({"logprobs", "--model", "hf", "--input", "stdin"}, {}, "{\"tokens\":[3,4,5]}\n")
          .exit_code,
      0);
}

TEST_F(ExportTest, ShardsAndTypesReadBackRounded) {
  const ModelFolder policy = LoadModelFolder(run->place / checkpoint);
  ThreadPool pool(1);
  for (const auto& [flag, type, name] :
       {std::tuple{"bf16", FloatType::kBf16, "bfloat16"}, {"f16", FloatType::kF16, "float16"}}) {
    const Json line =
        Export({"--output", flag, "--dtype", flag, "--max-shard-size", "100kB", "--threads", "1"});
    const fs::path folder = run->place / flag;
    EXPECT_GT(line["files"], 4);
    EXPECT_GT(line["probe_max_abs_diff"], 0.0);
    EXPECT_EQ(ReadJson(folder / "config.json")["dtype"], name);
    const Json index = ReadJson(folder / "model.safetensors.index.json");
    for (const auto& [tensor, file] : index["weight_map"].items()) {
      const SafetensorsFile shard(folder / file.get<std::string>());
      EXPECT_EQ(shard.entries().at(tensor).dtype, FloatTypeName(type));
    }
    EXPECT_EQ(LoadModelFolder(folder).weights->fingerprint,
              Fingerprint(policy.layout,
                          RoundWeights(policy.layout, policy.weights->data, type, &pool).span()));
  }
}

TEST_F(ExportTest, GgufIsOneFile) {
  for (const char* dtype : {"f32", "f16", "bf16", "q8_0"}) {
    const std::string name = std::string("policy-") + dtype + ".gguf";
    const Json line = Export({"--output", name, "--format", "gguf", "--dtype", dtype});
    EXPECT_EQ(line["files"], 1);
    EXPECT_EQ(line["bytes"], fs::file_size(run->place / name));
    EXPECT_EQ(line["probe_max_abs_diff"] == 0.0, std::string(dtype) == "f32");
    EXPECT_EQ(GgufFile(run->place / name).entries().size(), line["tensors"]);
  }
  Export({"--output", "gguf", "--format", "gguf"});
  EXPECT_TRUE(fs::exists(run->place / "gguf/model-f16.gguf"));
  Export({"--output", "gguf", "--format", "gguf", "--dtype", "q8_0"});  // replaces it
  EXPECT_FALSE(fs::exists(run->place / "gguf/model-f16.gguf"));
}

TEST_F(ExportTest, NothingElseIsReplaced) {
  ExpectFails({"--output", checkpoint}, 2, "is the checkpoint itself");
  fs::copy(run->place / checkpoint, run->place / "other", fs::copy_options::recursive);
  ExpectFails({"--output", "other"}, 2, "that training can resume from");
  ExpectFails({"--output", "runs"}, 2, "something else");
  ExpectFails({"--output", "model", "--format", "gguf"}, 2, "something else");
  ExpectFails({"--output", "x", "--dtype", "q8_0"}, 2, "q8_0 is of --format gguf");
  ExpectFails({"--output", "x", "--dtype", "f8"}, 2, "--dtype f8: expected f32, bf16 or f16");
  ExpectFails({"--output", "x", "--format", "onnx"}, 2, "onnx");
  EXPECT_FALSE(fs::exists(run->place / "x"));
}

TEST_F(ExportTest, AFullDiskLeavesNothing) {
  const fs::path disk = run->place / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "needs to mount a small disk";
  ExpectFails({"--output", "disk/hf"}, 1, "No space left");
  ExpectFails({"--output", "disk/p.gguf", "--format", "gguf"}, 1, "No space left");
  EXPECT_TRUE(fs::is_empty(disk));
  ::umount(disk.c_str());
}

}  // namespace
}  // namespace hone
