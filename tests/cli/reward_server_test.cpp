// A verifier that is a server, from the commands that judge.
#include "reward/plugins/small_server.h"
#include "small_run.h"

namespace hone {
namespace {

// 1, less a tenth a byte; null for an empty completion.
std::string Judge(const std::string&, const std::string& body) {
  auto rewards = nlohmann::json::array();
  const auto request = nlohmann::json::parse(body);
  for (const auto& sample : request["samples"]) {
    const auto size = sample["completion"].get<std::string>().size();
    rewards.push_back(size == 0 ? nlohmann::json(nullptr)
                                : nlohmann::json(1 - 0.1 * static_cast<double>(size)));
  }
  return HttpResponse("200 OK", nlohmann::json{{"rewards", rewards}}.dump());
}

TEST(RewardServerTest, ScoreAsksIt) {
  SmallServer server(Judge);
  Workplace place;
  const std::string out = place.Ok({"score", "--verifier", server.url()}, {},
                                   "{\"completion\": \"abc\"}\n{\"completion\": \"\"}\n");
  EXPECT_NE(out.find("{\"reward\":0.7,\"error\":null}\n"), std::string::npos) << out;
  EXPECT_NE(out.find("cannot decide"), std::string::npos) << out;
  const Outcome wrong = place.Run({"score", "--verifier", server.url(), "--set", "ca_file=none"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("ca_file: none: no such file"), std::string::npos) << wrong.err;
}

TEST(RewardServerTest, ARunAndAnEvaluationAskIt) {
  SmallServer server(Judge);
  const SmallRun run(2);
  const std::string reward = "\n[[reward]]\nverifier = \"" + server.url() + "\"\nbatch_size = 3\n";
  run.place.Write("grpo.toml", Slurp(run.place / "grpo.toml") + reward);
  run.Train("one");
  run.Train("three", {"--set", "rollout.workers=3"});
  run.ExpectSame("one", "three");
  for (const auto& line : run.Lines("one", "metrics.jsonl")) {
    EXPECT_TRUE(line.contains("rewards/score/mean")) << line;
    EXPECT_NE(line.at("rewards/score/mean").get<double>(), 0);
  }
  const auto result = nlohmann::json::parse(
      run.place.Ok({"eval", "--model", run.Folder("one") / "checkpoints/step-000004", "--data",
                    "train.jsonl", "--limit", "4", "--max-tokens", "8", "--k", "1", "--verifier",
                    "arithmetic", "--verifier", server.url() + ":0.5"}));
  EXPECT_NE(result.dump().find("score"), std::string::npos) << result;
}

}  // namespace
}  // namespace hone
