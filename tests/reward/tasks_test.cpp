#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "reward/rational.h"
#include "reward/tasks/task.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<Json> Rows(const DataRequest& request) {
  std::istringstream lines(MakeData(request));
  std::vector<Json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
  return rows;
}

double Judge(const Verifier& verifier, const Json& row) {
  const std::string completion = row.at("completion").get<std::string>();
  const Verdict verdict = verifier.Score(
      {.prompt = "", .completion = completion, .columns = row, .group = 0, .index = 0});
  EXPECT_FALSE(verdict.error) << row;
  return verdict.reward;
}

double ShareRight(const Verifier& verifier, const std::vector<Json>& rows) {
  double right = 0;
  for (const auto& row : rows) right += Judge(verifier, row);
  return right / static_cast<double>(rows.size());
}

std::string Refusal(const DataRequest& request) {
  try {
    MakeData(request);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

// What a data set is must not change from one version to the next: runs are made from it.
TEST(TaskTest, TheFirstLinesAreTheseForEver) {
  EXPECT_EQ(
      MakeData(
          {.task = "arithmetic", .count = 2, .seed = 1, .demonstrations = true, .exclude = {}}),
      R"({"prompt":"182+981=","answer":"1163","completion":"<think>2+1+0=03;8+8+0=16;1+9+0=10;</think><answer>1063</answer>"})"
      "\n"
      R"({"prompt":"644+726=","answer":"1370","completion":"<think>4+6+0=10;4+2+0=06;6+7+0=13;</think><answer>1360</answer>"})"
      "\n");
  EXPECT_EQ(
      MakeData({.task = "countdown", .count = 2, .seed = 1, .demonstrations = true, .exclude = {}}),
      R"({"prompt":"nums: 34 6 62 target: 22\n","nums":[34,6,62],"target":22,"completion":"<think>62+6*34=62+204=266;34+62*6=34+372=406;62-(6+34)=62-40=22;</think><answer>62-(6+34)</answer>"})"
      "\n"
      R"({"prompt":"nums: 2 23 46 target: 46\n","nums":[2,23,46],"target":46,"completion":"<think>(46-23)*2=23*2=46;</think><answer>(46-23)*2</answer>"})"
      "\n");
}

TEST(TaskTest, ProblemsAreDistinctAndDependOnTheSeedAlone) {
  for (const char* task : {"arithmetic", "countdown"}) {
    const DataRequest request{.task = task, .count = 5000, .seed = 3, .exclude = {}};
    const auto rows = Rows(request);
    std::set<std::string> prompts;
    for (const auto& row : rows) prompts.insert(row["prompt"].get<std::string>());
    EXPECT_EQ(prompts.size(), 5000u);
    EXPECT_FALSE(rows[0].contains("completion"));
    EXPECT_EQ(MakeData(request), MakeData(request));
    // More of the same seed begin with the same; demonstrations change no problem.
    DataRequest more = request;
    more.count = 6000;
    EXPECT_TRUE(MakeData(more).starts_with(MakeData(request)));
    DataRequest shown = request, other = request;
    shown.demonstrations = true;
    other.seed = 4;
    EXPECT_EQ(Rows(shown)[4999]["prompt"], rows[4999]["prompt"]);
    EXPECT_NE(MakeData(other), MakeData(request));
  }
}

TEST(TaskTest, MakesEveryProblemOfASmallTaskAndNoMore) {
  DataRequest request{
      .task = "arithmetic", .count = 81, .seed = 1, .options = {{"digits", 1}}, .exclude = {}};
  EXPECT_EQ(Rows(request).size(), 81u);
  request.count = 82;
  EXPECT_THAT(Refusal(request), HasSubstr("at most 81"));
  request.count = 0;
  EXPECT_THAT(Refusal(request), HasSubstr("at least 1"));
}

TEST(TaskTest, ExcludedPromptsAreLeftOut) {
  const fs::path folder =
      fs::temp_directory_path() / ("hone_tasks_test_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  DataRequest request{
      .task = "arithmetic", .count = 30, .seed = 1, .options = {{"digits", 1}}, .exclude = {}};
  WriteFileAtomically(folder / "a", MakeData(request));
  request.exclude = {folder / "a"};
  request.seed = 2;
  WriteFileAtomically(folder / "b", MakeData(request));
  request.exclude = {folder / "a", folder / "b"};
  request.count = 21;
  std::set<std::string> seen;
  for (const auto& row : Rows(request)) seen.insert(row["prompt"].get<std::string>());
  for (const char* file : {"a", "b"}) {
    ForEachLine(folder / file, [&](const std::string& line, int64_t) {
      EXPECT_TRUE(seen.insert(Json::parse(line)["prompt"].get<std::string>()).second) << line;
    });
  }
  EXPECT_EQ(seen.size(), 81u);
  request.count = 22;
  EXPECT_THAT(Refusal(request), HasSubstr("no more than 21"));
  WriteFileAtomically(folder / "bad", "{\"prompt\": \"1+1=\"}\n{\"x\": 1}\n");
  request.exclude = {folder / "bad"};
  try {
    MakeData(request);
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("line 2"));
  }
  fs::remove_all(folder);
}

TEST(TaskTest, OptionsAreStrict) {
  EXPECT_THAT(Refusal({.task = "arithmetics", .count = 1, .exclude = {}}),
              HasSubstr("did you mean \"arithmetic\""));
  EXPECT_THAT(Refusal({.task = "arithmetic", .count = 1, .options = {{"digit", 3}}, .exclude = {}}),
              HasSubstr("did you mean \"digits\""));
  EXPECT_THAT(
      Refusal({.task = "arithmetic", .count = 1, .options = {{"digits", 10}}, .exclude = {}}),
      HasSubstr("from 1 to 9, found 10"));
  EXPECT_THAT(
      Refusal({.task = "countdown", .count = 1, .options = {{"max_target", 5}}, .exclude = {}}),
      HasSubstr("min_target"));
  EXPECT_THAT(
      Refusal({.task = "countdown", .count = 1, .options = {{"max_number", 1}}, .exclude = {}}),
      HasSubstr("no problem"));
}

TEST(ArithmeticTaskTest, PerfectDemonstrationsAreRightAndWellFormed) {
  const auto arithmetic = MakeArithmeticVerifier({}), format = MakeFormatVerifier({});
  for (const auto& [digits, terms] : {std::pair{1, 2}, {3, 2}, {9, 2}, {4, 9}, {9, 9}}) {
    const auto rows = Rows({.task = "arithmetic",
                            .count = digits == 1 ? 81 : 500,
                            .seed = 5,
                            .options = {{"digits", digits}, {"terms", terms}, {"carry_error", 0}},
                            .demonstrations = true,
                            .exclude = {}});
    EXPECT_EQ(ShareRight(*arithmetic, rows), 1);
    EXPECT_EQ(ShareRight(*format, rows), 1);
    for (const auto& row : rows) {
      const std::string prompt = row["prompt"];
      EXPECT_EQ(prompt.size(), static_cast<size_t>(terms * (digits + 1)));
      Expression sum;
      ASSERT_EQ(ParseExpression(prompt.substr(0, prompt.size() - 1), &sum), Parsed::kOk);
      EXPECT_EQ(sum.value.get_str(), row["answer"].get<std::string>());
    }
  }
}

// P(right) with carry_error 0.6: no carry or one remembered out of the units, likewise the tens.
// A carry leaves the units with 0.45; the tens with 0.45, or 0.55 when one came in and was
// remembered.
TEST(ArithmeticTaskTest, DemonstrationsForgetTheCarryAsOftenAsSaid) {
  const auto arithmetic = MakeArithmeticVerifier({});
  const double tens = 0.55 + 0.45 * 0.4, tens_after_carry = 0.45 + 0.55 * 0.4;
  const double expected = 0.55 * tens + 0.45 * 0.4 * tens_after_carry;
  const auto rows = Rows(
      {.task = "arithmetic", .count = 20'000, .seed = 5, .demonstrations = true, .exclude = {}});
  EXPECT_NEAR(ShareRight(*arithmetic, rows), expected, 0.015);
  EXPECT_EQ(ShareRight(*MakeFormatVerifier({}), rows), 1);
}

TEST(CountdownTaskTest, EveryDemonstrationSolvesItsProblem) {
  const auto countdown = MakeCountdownVerifier({}), format = MakeFormatVerifier({});
  for (const int numbers : {2, 3, 4, 6}) {
    const auto rows = Rows({.task = "countdown",
                            .count = 1000,
                            .seed = 5,
                            .options = {{"numbers", numbers}},
                            .demonstrations = true,
                            .exclude = {}});
    EXPECT_EQ(ShareRight(*countdown, rows), 1);
    EXPECT_EQ(ShareRight(*format, rows), 1);
    for (const auto& row : rows) {
      EXPECT_EQ(row["nums"].size(), static_cast<size_t>(numbers));
      for (const int number : row["nums"]) EXPECT_TRUE(number >= 1 && number <= 99);
      EXPECT_TRUE(row["target"] >= 10 && row["target"] <= 99);
    }
  }
}

// Every link of "25+7*3=25+21=46" has the same value; only the last chain has the target's.
TEST(CountdownTaskTest, EveryTryOfAThoughtIsWorkedOutRight) {
  const auto rows = Rows({.task = "countdown",
                          .count = 2000,
                          .seed = 6,
                          .options = {{"numbers", 4}},
                          .demonstrations = true,
                          .exclude = {}});
  std::vector<int> count_by_tries(5);
  for (const auto& row : rows) {
    const std::string text = row["completion"], open = "<think>";
    std::istringstream thought(text.substr(open.size(), text.find(";</think>") - open.size()));
    std::vector<std::string> values;
    for (std::string chain; std::getline(thought, chain, ';');) {
      std::istringstream links(chain);
      int count = 0;
      for (std::string link; std::getline(links, link, '='); ++count) {
        Expression expression;
        ASSERT_EQ(ParseExpression(link, &expression), Parsed::kOk) << text;
        const std::string value = expression.value.get_str();
        if (count == 0) values.push_back(value);
        EXPECT_EQ(value, values.back()) << text;
      }
      EXPECT_EQ(count, 4) << text;
    }
    const std::string target = Dump(row["target"]);
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(values[i] == target, i + 1 == values.size()) << text;
    ++count_by_tries.at(values.size());
  }
  for (int tries = 1; tries <= 4; ++tries)
    EXPECT_NEAR(count_by_tries[static_cast<size_t>(tries)], 500, 100);
}

}  // namespace
}  // namespace hone
