#include "tiny_ring.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/json.h"
#include "learner/checkpoints.h"
#include "policy/files/model_folder.h"

namespace hone {
namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "hone-actors-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

TinyRing::TinyRing() {
  const fs::path quickstart = fs::path(HONE_SOURCE_DIR) / "configs/quickstart";
  Json json = ReadJson(quickstart / "model.json");
  json["hidden_size"] = 32;
  json["intermediate_size"] = 48;
  json["num_hidden_layers"] = 2;
  json["num_attention_heads"] = 2;
  json["num_key_value_heads"] = 1;
  json["head_dim"] = 16;
  json["initializer_range"] = 0.1;
  const fs::path folder = path() / "model";
  fs::create_directories(folder);
  ModelFolder model;
  model.path = folder;
  model.config = ParseModelConfig(json, "model.json");
  model.layout = MakeLayout(model.config);
  model.companions = {{"config.json", Dump(json)},
                      {"tokenizer.json", ReadFile(quickstart / "tokenizer.json")},
                      {"generation_config.json", ReadFile(quickstart / "generation_config.json")}};
  const Buffer<float> weights = InitWeights(model.config, model.layout, 7);
  WriteModelFiles(folder, model, model.layout, weights.span());
  std::string lines;
  for (int i = 0; i < 23; ++i) {
    const int a = i % 7, b = i % 5;
    lines += Dump(Json{{"prompt", std::to_string(a) + "+" + std::to_string(b) + "="},
                       {"answer", std::to_string(a + b)}}) +
             "\n";
  }
  WriteFileAtomically(path() / "train.jsonl", lines);
}

RunOptions TinyRing::Options(const std::string& name) const {
  RunOptions options;
  Config& config = options.config;
  config.run.name = name;
  config.run.seed = 11;
  config.run.steps = 4;
  config.policy.model = (path() / "model").string();
  config.data.train = {(path() / "train.jsonl").string()};
  config.rollout.num_generations = 3;
  config.rollout.prompts_per_step = 5;
  config.rollout.max_prompt_length = 16;
  config.rollout.max_completion_length = 12;
  config.optimizer.learning_rate = 1e-2;
  config.optimizer.lr_scheduler_type = "constant";
  config.checkpoint.every = 2;
  config.checkpoint.keep = 0;
  RewardConfig random;
  random.verifier = "random";
  options.rewards = {random};
  options.folder = Folder(name);
  options.threads = 1;
  fs::create_directories(options.folder);
  return options;
}

RewardConfig SleepingVerifier(const fs::path& folder, double sleep_s, Json options) {
  const fs::path program = folder / "sleeper.py";
  WriteFileAtomically(program, R"(#!/usr/bin/env python3
import json, sys, time
for line in sys.stdin:
    sample = json.loads(line)
    time.sleep(sample["options"]["sleep_s"])
    print(json.dumps({"reward": sample["group"] + sample["index"]}), flush=True)
)");
  fs::permissions(program, fs::perms::owner_all);
  RewardConfig reward;
  reward.verifier = program.string();
  reward.options = std::move(options);
  reward.options["sleep_s"] = sleep_s;
  return reward;
}

std::map<std::string, std::string> Bits(const fs::path& run) {
  std::map<std::string, std::string> bits;
  const auto take = [&](const fs::path& folder) {
    if (!fs::exists(folder)) throw std::runtime_error(folder.string() + " is missing");
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      bits[fs::relative(entry.path(), run).string()] = ReadFile(entry.path());
    }
  };
  take(run / "traces");
  const auto newest = NewestCheckpoint(run);
  if (!newest) throw std::runtime_error(run.string() + " has no checkpoint");
  take(*newest);
  return bits;
}

LedgerTotals CheckedLedger(const fs::path& run, uint64_t groups_per_batch) {
  LedgerTotals totals;
  ForEachLine(run / "ledger.jsonl", [&](const std::string& text, int64_t number) {
    const Json line = ParseJsonLine(text, run / "ledger.jsonl", number);
    EXPECT_EQ(line.at("step"), number);
    EXPECT_EQ(line.at("closed"), true);
    const uint64_t first = line.at("groups")[0], last = line.at("groups")[1];
    EXPECT_EQ(first, static_cast<uint64_t>(number - 1) * groups_per_batch);
    EXPECT_EQ(last - first + 1, groups_per_batch);
    uint64_t dropped = 0;
    for (const auto& [reason, count] : line.at("dropped").items()) dropped += count.get<uint64_t>();
    EXPECT_EQ(line.at("trained").get<uint64_t>() + dropped, groups_per_batch);
    for (const char* stage : {"issued", "generated", "scored"}) {
      EXPECT_EQ(line.at(stage).get<uint64_t>(), groups_per_batch) << text;
    }
    ++totals.lines;
    totals.trained += line.at("trained").get<uint64_t>();
    totals.reissued += line.at("reissued").get<uint64_t>();
    totals.duplicates += line.at("duplicates").get<uint64_t>();
  });
  return totals;
}

}  // namespace hone
