// Published data sets, in the form they are published in, through the configs that are for them.
#include "packed_bytes.h"
#include "small_run.h"
#ifdef HONE_TEST_PARQUET
#include "parquet_file.h"
#endif

namespace hone {
namespace {

struct Published {
  std::string config, rows;
  std::vector<std::string> answers;  // that the config's first verifier rewards, a row each
};

const std::vector<Published> kPublished = {
    {"gsm8k",
     R"({"question": "Natalia sold 48 clips in April and half as many in May. How many in all?", "answer": "In May 48/2 = <<48/2=24>>24 clips.\nIn all 48+24 = <<48+24=72>>72.\n#### 72"}
{"question": "A town of 1,200 grows by 34. How many?", "answer": "1200+34=<<1200+34=1234>>1234\n#### 1,234"}
)",
     {"72", "1234"}},
    {"math",
     R"({"problem": "What is $\\frac{1}{4}+\\frac{1}{4}$?", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{\\frac{1}{2}}$."}
{"problem": "How many?", "level": "Level ?", "type": "Counting & Probability", "solution": "There are $\\boxed 5$ of them."}
)",
     {"\\frac{1}{2}", "5"}},
    {"deepscaler",
     R"({"problem": "Find $x$ if $2x = 10$.", "answer": "5", "solution": "Half of 10 is \\boxed{5}."}
{"problem": "Find $\\sqrt{8}$.", "answer": "2\\sqrt{2}", "solution": ""}
)",
     {"5", "2\\sqrt{2}"}},
    {"countdown-tasks",
     "{\"target\": 98, \"nums\": [44, 19, 35]}\n{\"target\": 64, \"nums\": [63, 95, 96]}\n",
     {"44 + 19 + 35", "(96 - 95) + 63"}},
};

struct DataSetTest : ::testing::Test {
  static void SetUpTestSuite() { run = new SmallRun(1); }
  static void TearDownTestSuite() {
    delete run;
    run = nullptr;
  }
  static SmallRun* run;

  // Two steps of the config as it stands but for the model, the file and sizes.
  void Train(const Published& set, const std::string& file) {
    const std::string config = std::string(HONE_SOURCE_DIR) + "/configs/" + set.config + ".toml";
    run->place.Ok({"train", config, "--set", "policy.model=model", "--set", "data.train=" + file,
                   "--set", "run.name=" + file, "--set", "run.steps=2", "--set",
                   "rollout.num_generations=2", "--set", "rollout.prompts_per_step=2", "--set",
                   "rollout.max_completion_length=8"});
    const auto report = nlohmann::json::parse(Slurp(run->Folder(file) / "data.json"));
    EXPECT_EQ(report["rows"], 2);
    EXPECT_EQ(report["kept"], 2) << report;
    // No verifier was without what it compares with.
    EXPECT_EQ(Slurp(run->Folder(file) / "log.txt").find("expected a"), std::string::npos);
  }
};
SmallRun* DataSetTest::run = nullptr;

TEST_F(DataSetTest, EveryConfigTrainsOnItsSetAsLinesPackedOrAnArray) {
  for (const Published& set : kPublished) {
    SCOPED_TRACE(set.config);
    run->place.Write(set.config + ".jsonl", set.rows);
    Train(set, set.config + ".jsonl");
    run->place.Write(set.config + ".gz", testing::Gzip(set.rows));
    Train(set, set.config + ".gz");
    std::string array = "[" + set.rows;
    array.replace(array.find("}\n{"), 3, "},\n{");
    run->place.Write(set.config + ".json", array + "]");
    Train(set, set.config + ".json");
    ExpectSameFiles(run->Folder(set.config + ".jsonl") / "traces",
                    run->Folder(set.config + ".gz") / "traces");
    ExpectSameFiles(run->Folder(set.config + ".jsonl") / "traces",
                    run->Folder(set.config + ".json") / "traces");
  }
}

#ifdef HONE_TEST_PARQUET
TEST_F(DataSetTest, EveryConfigTrainsOnItsSetAsParquet) {
  for (const Published& set : kPublished) {
    SCOPED_TRACE(set.config);
    testing::WriteParquet(run->place / (set.config + ".parquet"), set.rows);
    Train(set, set.config + ".parquet");
  }
}
#endif

TEST_F(DataSetTest, TheRightAnswerOfEverySetIsRewardedAndAWrongOneIsNot) {
  const std::map<std::string, std::vector<std::string>> flags = {
      {"gsm8k", {"--verifier", "arithmetic", "--answer-from", "gsm8k"}},
      {"math",
       {"--verifier", "exact_match", "--answer-column", "solution", "--answer-from", "boxed"}},
      {"deepscaler", {"--verifier", "exact_match"}},
      {"countdown-tasks", {"--verifier", "countdown"}}};
  for (const Published& set : kPublished) {
    std::istringstream rows(set.rows);
    std::string input, line;
    for (const std::string& answer : set.answers) {
      std::getline(rows, line);
      auto row = nlohmann::json::parse(line);
      for (const std::string& given : {answer, std::string("7")}) {
        row["completion"] = "<answer>" + given + "</answer>";
        input += row.dump() + "\n";
      }
    }
    std::vector<std::string> arguments = {"score"};
    arguments.insert(arguments.end(), flags.at(set.config).begin(), flags.at(set.config).end());
    std::istringstream results(run->place.Ok(arguments, {}, input));
    for (size_t i = 0; i < 2 * set.answers.size(); ++i) {
      std::getline(results, line);
      const auto result = nlohmann::json::parse(line);
      EXPECT_TRUE(result["error"].is_null()) << set.config << " " << line;
      EXPECT_EQ(result["reward"], i % 2 == 0 ? 1.0 : 0.0) << set.config << " " << i;
    }
  }
}

}  // namespace
}  // namespace hone
