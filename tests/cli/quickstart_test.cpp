// `hone quickstart` on a small scale: the stages, the summary, and doing only what is left.
#include <nlohmann/json.hpp>

#include "program.h"

namespace hone {
namespace {

std::vector<std::string> Arguments(const std::string& seed) {
  const std::string configs = std::string(HONE_SOURCE_DIR) + "/configs/quickstart";
  return {"quickstart",
          "--seed",
          seed,
          "--output",
          "out",
          "--base",
          configs,
          "--sft",
          configs + "/sft.toml",
          "--grpo",
          configs + "/grpo.toml",
          "--set-task",
          "digits=2",
          "--set-sft",
          "run.steps=3",
          "--set-sft",
          "sft.batch_size=16",
          "--set",
          "run.steps=2",
          "--set",
          "rollout.prompts_per_step=2"};
}

std::set<std::string> Prompts(const fs::path& file) {
  std::set<std::string> prompts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    prompts.insert(nlohmann::json::parse(line).at("prompt"));
  return prompts;
}

TEST(QuickstartTest, RunsItsStagesOnceAndSumsThemUp) {
  const Workplace place;
  const std::string shown = place.Ok(Arguments("3"));
  EXPECT_NE(shown.find("before RL    after RL"), std::string::npos);
  EXPECT_NE(shown.find("before: wrong"), std::string::npos);  // a trace beside a trace
  const auto summary = nlohmann::json::parse(Slurp(place / "out/summary.json"));
  EXPECT_GT(summary.at("train_seconds").get<double>(), 0);
  EXPECT_TRUE(
      fs::exists(place.path() / summary.at("model").get<std::string>() / "model.safetensors"));
  EXPECT_TRUE(
      fs::exists(place.path() / summary.at("cold_start").get<std::string>() / "model.safetensors"));

  // Nothing of the examination is in what is learned from.
  const auto held_out = Prompts(place / "out/data/eval.jsonl");
  EXPECT_EQ(held_out.size(), 500u);
  for (const std::string name : {"train", "demonstrations"}) {
    for (const auto& prompt : Prompts(place / ("out/data/" + name + ".jsonl"))) {
      EXPECT_FALSE(held_out.count(prompt)) << prompt << " in " << name;
    }
  }

  // Again: the same figures, nothing trained anew.
  place.Ok(Arguments("3"));
  EXPECT_EQ(nlohmann::json::parse(Slurp(place / "out/summary.json")), summary);
  const Outcome other = place.Run(Arguments("4"));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_NE(other.err.find("seed 3"), std::string::npos) << other.err;
}

}  // namespace
}  // namespace hone
