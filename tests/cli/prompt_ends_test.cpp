// A model whose tokenizer puts a BOS before a text: wherever a prompt is text, it has one.
#include "small_run.h"

namespace hone {
namespace {

using Json = nlohmann::json;

class PromptEndsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Json tokenizer = Json::parse(Slurp(run_.place / "model/tokenizer.json"));
    tokenizer["post_processor"] = {
        {"type", "BertProcessing"}, {"cls", {"a BOS", 2}}, {"sep", {"an EOS", 1}}};
    run_.place.Write("model/tokenizer.json", tokenizer.dump());
  }
  Json Tokenize(const std::string& text, std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"tokenize", "--model", "model"});
    return Json::parse(run_.place.Ok(flags, {}, Json(text).dump() + "\n"));
  }
  // Output lines of a command that is given these lines.
  std::vector<Json> Lines(std::vector<std::string> command, const std::vector<Json>& input) {
    std::string lines;
    for (const Json& line : input) lines += line.dump() + "\n";
    run_.place.Write("input.jsonl", lines);
    command.insert(command.begin() + 1, {"--model", "model"});
    std::istringstream out(run_.place.Ok(command));
    std::vector<Json> result;
    for (std::string line; std::getline(out, line);) result.push_back(Json::parse(line));
    return result;
  }
  std::string WeightsAfterSft(const std::string& name, const Json& line) {
    run_.place.Write(name + ".jsonl", line.dump() + "\n");
    run_.place.Ok({"sft", "sft.toml", "--set", "run.name=" + name, "--set",
                   "data.train=" + name + ".jsonl", "--set", "run.steps=1"});
    return Slurp(run_.Folder(name) / "checkpoints/step-000001/model.safetensors");
  }

  SmallRun run_{1};
};

TEST_F(PromptEndsTest, OnlyPromptsThatAreTextGetThem) {
  const Json ids = Tokenize("1+2="), completion = Tokenize("3");
  Json prompt = {2};
  prompt.insert(prompt.end(), ids.begin(), ids.end());
  Json whole = prompt;
  whole.push_back(1);
  EXPECT_EQ(Tokenize("1+2=", {"--add-special"}), whole);

  const auto completed =
      Lines({"generate", "--prompts", "input.jsonl", "--greedy", "--max-tokens", "8"},
            {{{"prompt", "1+2="}}, {{"tokens", prompt}}, {{"tokens", ids}}});
  EXPECT_EQ(completed[0]["logprobs"], completed[1]["logprobs"]);
  EXPECT_NE(completed[0]["logprobs"], completed[2]["logprobs"]);

  const Json pair = {{"prompt", "1+2="}, {"completion", "3"}},
             tokens = {{"prompt_tokens", prompt}, {"completion_tokens", completion}};
  const auto scored = Lines({"logprobs", "--input", "input.jsonl"}, {pair, tokens});
  EXPECT_EQ(scored[0], scored[1]);

  Json ended = tokens;
  ended["completion_tokens"].push_back(1);
  const std::string weights = WeightsAfterSft("text", pair);
  EXPECT_FALSE(weights.empty());
  EXPECT_TRUE(weights == WeightsAfterSft("ids", ended));
}

}  // namespace
}  // namespace hone
