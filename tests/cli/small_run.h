// A run small enough for a test, with everything a real one has: a cold start, two verifiers,
// checkpoints.
#pragma once

#include <nlohmann/json.hpp>

#include "program.h"

namespace hone {

inline const std::string kConfigs = std::string(HONE_SOURCE_DIR) + "/configs/quickstart";

class SmallRun {
 public:
  explicit SmallRun(int64_t sft_steps = 30) {
    place.Ok({"data", "arithmetic", "--set", "digits=1", "--count", "60", "--seed", "1", "--output",
              "train.jsonl"});
    place.Ok({"data", "arithmetic", "--set", "digits=1", "--count", "60", "--seed", "2", "--output",
              "demos.jsonl", "--demonstrations"});
    // A third of the quickstart's model, so that scalar code keeps up.
    auto config = nlohmann::json::parse(Slurp(kConfigs + "/model.json"));
    config["hidden_size"] = 64;
    config["intermediate_size"] = 96;
    config["num_hidden_layers"] = 2;
    config["num_attention_heads"] = 4;
    config["num_key_value_heads"] = 2;
    config["head_dim"] = 16;
    place.Write("model.json", config.dump());
    place.Ok({"init-model", "--config", "model.json", "--tokenizer", kConfigs + "/tokenizer.json",
              "--seed", "5", "--output", "model"});
    place.Write("sft.toml",
                "[run]\nname = \"sft\"\nseed = 1\n[policy]\nmodel = \"model\"\n[data]\ntrain = "
                "\"demos.jsonl\"\n"
                "[sft]\nbatch_size = 16\n[optimizer]\nlearning_rate = 3e-3\n");
    place.Ok({"sft", "sft.toml", "--set", "run.steps=" + std::to_string(sft_steps)});
    char step[32];
    std::snprintf(step, sizeof(step), "step-%06d", static_cast<int>(sft_steps));
    place.Write(
        "grpo.toml",
        "[run]\nname = \"base\"\nseed = 3\nsteps = 4\n[policy]\nmodel = \"runs/sft/checkpoints/" +
            std::string(step) +
            "\"\n[data]\ntrain = \"train.jsonl\"\n"
            "[rollout]\nnum_generations = 4\nprompts_per_step = 4\nmax_completion_length = 24\n"
            "[[reward]]\nverifier = \"random\"\nweight = 0.5\n"
            "[[reward]]\nverifier = \"arithmetic\"\n"
            "[[reward]]\nverifier = \"format\"\nweight = 0.1\n"
            "[optimizer]\nlearning_rate = 1e-3\n[checkpoint]\nevery = 1\nkeep = 0\n");
  }

  fs::path Folder(const std::string& name) const { return place / ("runs/" + name); }

  void Train(const std::string& name, std::vector<std::string> more = {},
             const std::vector<std::string>& environment = {}) const {
    more.insert(more.begin(), {"train", "grpo.toml", "--set", "run.name=" + name});
    place.Ok(more, environment);
  }

  // Traces and the last checkpoint, optimizer and counters included, are the same bytes.
  void ExpectSame(const std::string& a, const std::string& b,
                  const std::string& last = "step-000004") const {
    ExpectSameFiles(Folder(a) / "traces", Folder(b) / "traces");
    ExpectSameFiles(Folder(a) / "checkpoints" / last, Folder(b) / "checkpoints" / last);
  }

  std::vector<nlohmann::json> Lines(const std::string& name, const std::string& file) const {
    std::vector<nlohmann::json> lines;
    std::ifstream in(Folder(name) / file);
    for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  Workplace place;
};

}  // namespace hone
