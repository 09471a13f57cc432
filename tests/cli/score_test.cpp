// `hone score`: a result for each line, in order, whatever the line and however many threads.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <sys/stat.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "program.h"

namespace hone {
namespace {
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

std::vector<Json> Lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::string Line(const std::string& answer, const Json& gold) {
  return Json{{"completion", "<answer>" + answer + "</answer>"}, {"answer", gold}}.dump() + "\n";
}

struct ScoreTest : ::testing::Test {
  Workplace place;

  // A verifier of the user's own, which notes each start of it in the file "starts".
  void WriteProgram(const std::string& judge) const {
    place.Write("judge.py",
                "#!/usr/bin/env python3\nimport json, sys, time\n"
                "open('starts', 'a').write('x')\n"
                "for line in sys.stdin:\n    s = json.loads(line)\n    c = s['completion']\n" +
                    judge + "    print(json.dumps({'reward': r}), flush=True)\n");
    ::chmod((place / "judge.py").c_str(), 0755);
  }
};

TEST_F(ScoreTest, OneResultALineInOrderWithTheContractsKeys) {
  const std::string out = place.Ok({"score", "--verifier", "arithmetic"}, {},
                                   Line("4", "4") + Line("5", 4) + Line("4.0", "4"));
  EXPECT_EQ(out,
            "{\"reward\":1.0,\"error\":null}\n{\"reward\":0.0,\"error\":null}\n"
            "{\"reward\":1.0,\"error\":null}\n");
}

TEST_F(ScoreTest, FilesAndStandardInputAndAnyThreadsGiveTheSameBytes) {
  std::string input;
  for (int i = 0; i < 9000; ++i) input += Line(std::to_string(i % 7), i % 3);  // over two batches
  place.Write("lines.jsonl", input);
  const std::string out =
      place.Ok({"score", "--verifier", "arithmetic", "--threads", "1"}, {}, input);
  const std::vector<Json> lines = Lines(out);
  ASSERT_EQ(lines.size(), 9000u);
  for (int i = 0; i < 9000; ++i) EXPECT_EQ(lines[i]["reward"], i % 7 == i % 3 ? 1 : 0) << i;
  for (const std::string threads : {"2", "5"}) {
    EXPECT_EQ(place.Ok({"score", "--verifier", "arithmetic", "--input", "lines.jsonl", "--threads",
                        threads}),
              out);
  }
}

TEST_F(ScoreTest, ALineThatCannotBeScoredHasItsErrorAndTheRestGoOn) {
  const Outcome outcome =
      place.Run({"score", "--verifier", "arithmetic"}, {},
                Line("4", "4") + "no\n\n{\"answer\": 4}\n[1]\n" + Line("4", "4"));
  EXPECT_EQ(outcome.exit_code, 3);
  const std::vector<Json> lines = Lines(outcome.out);
  ASSERT_EQ(lines.size(), 6u) << outcome.out;
  for (const size_t good : {0u, 5u}) {
    EXPECT_EQ(lines[good]["reward"], 1);
    EXPECT_TRUE(lines[good]["error"].is_null());
  }
  for (const size_t bad : {1u, 2u, 3u, 4u}) {
    EXPECT_EQ(lines[bad]["reward"], 0);
    EXPECT_THAT(lines[bad]["error"].get<std::string>(),
                HasSubstr("line " + std::to_string(bad + 1) + ": expected"));
  }
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("4 of 6 rows could not be scored"),
                                 HasSubstr("standard input: line 2")));
}

TEST_F(ScoreTest, BlankLinesAtTheEndAreNone) {
  const std::string out =
      place.Ok({"score", "--verifier", "arithmetic"}, {}, Line("4", "4") + "\n  \n");
  EXPECT_EQ(Lines(out).size(), 1u);
}

TEST_F(ScoreTest, WhatAVerifierCannotDecideIsAnErrorAndNoFailure) {
  const std::string out = place.Ok({"score", "--verifier", "arithmetic"}, {},
                                   Line("4", "four") + Line("4", nullptr) + Line("4", "4"));
  const std::vector<Json> lines = Lines(out);
  EXPECT_THAT(lines[0]["error"].get<std::string>(), HasSubstr("expected a number"));
  EXPECT_THAT(lines[1]["error"].get<std::string>(), HasSubstr("expected a column \"answer\""));
  EXPECT_EQ(lines[0]["reward"], 0);
  EXPECT_EQ(lines[2]["reward"], 1);
}

TEST_F(ScoreTest, ExplainSaysWhatWasExtractedHowItWasComparedAndWhy) {
  const std::string input =
      "{\"completion\": \"so \\\\boxed{0.5}\", \"answer\": \"\\\\frac12\"}\n"
      "{\"completion\": \"I do not know\", \"answer\": \"2\"}\n";
  const std::vector<Json> lines =
      Lines(place.Ok({"score", "--verifier", "math", "--explain"}, {}, input));
  const Json& found = lines[0]["explanation"];
  EXPECT_EQ(found["extracted"], "0.5");
  EXPECT_EQ(found["expected"], "\\frac12");
  EXPECT_EQ(found["from"], "boxed");
  EXPECT_EQ(found["why"], "equal");
  EXPECT_FALSE(found["how"].get<std::string>().empty());
  EXPECT_THAT(lines[1]["explanation"]["why"].get<std::string>(), HasSubstr("no answer"));
  EXPECT_FALSE(
      Lines(place.Ok({"score", "--verifier", "math"}, {}, input))[0].contains("explanation"));
}

TEST_F(ScoreTest, OptionsOfTheVerifierAreSetAndCheckedBeforeAnyLine) {
  const std::string input = "{\"completion\": \"1, 2 and 4\", \"answer\": \"#### 4\"}\n";
  EXPECT_EQ(Lines(place.Ok({"score", "--verifier", "gsm8k"}, {}, input))[0]["reward"], 0);
  EXPECT_EQ(Lines(place.Ok({"score", "--verifier", "gsm8k", "--set", "match=flexible"}, {},
                           input))[0]["reward"],
            1);
  const Outcome unknown =
      place.Run({"score", "--verifier", "gsm8k", "--set", "mtch=flexible"}, {}, input);
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("mtch"), HasSubstr("did you mean \"match\"")));
  EXPECT_EQ(place.Run({"score", "--verifier", "gsm8k", "--set", "match"}, {}, input).exit_code, 2);
  const Outcome nobody = place.Run({"score", "--verifier", "mth"}, {}, input);
  EXPECT_EQ(nobody.exit_code, 2);
  EXPECT_THAT(nobody.err, HasSubstr("did you mean \"math\""));
}

TEST_F(ScoreTest, TheAnswersColumnAndPlaceAreFlags) {
  const std::string input =
      "{\"completion\": \"<answer>1234</answer>\", \"solution\": \"so\\n#### 1,234\"}\n";
  EXPECT_EQ(Lines(place.Ok({"score", "--verifier", "arithmetic", "--answer-column", "solution",
                            "--answer-from", "gsm8k"},
                           {}, input))[0]["reward"],
            1);
}

TEST_F(ScoreTest, FilesThatCannotBeReadAreThree) {
  const Outcome missing = place.Run({"score", "--verifier", "format", "--input", "nowhere.jsonl"});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("nowhere.jsonl"));
}

TEST_F(ScoreTest, AProgramIsStartedOnceAndItsSamplesAreJudgedSideBySide) {
  WriteProgram("    r = len(c)\n");
  EXPECT_EQ(place.Ok({"score", "--verifier", "./judge.py", "--set", "processes=1"}, {},
                     "{\"completion\": \"ab\"}\n{\"completion\": \"abc\"}\n"),
            "{\"reward\":2.0,\"error\":null}\n{\"reward\":3.0,\"error\":null}\n");
  EXPECT_EQ(Slurp(place / "starts"), "x");

  WriteProgram("    time.sleep(1)\n    r = 1\n");
  std::string input;
  for (int i = 0; i < 8; ++i) input += "{\"completion\": \"x\"}\n";
  const auto begin = std::chrono::steady_clock::now();
  place.Write("eight.jsonl", input);
  place.Ok({"score", "--verifier", "./judge.py", "--set", "processes=4", "--threads", "4",
            "--input", "eight.jsonl"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(7500));
}

TEST_F(ScoreTest, WhoWritesALineAndWaitsGetsItsScore) {
  int in[2], out[2];
  ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  const std::string program = std::string(HONE_BINARY_DIR) + "/hone";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::execl(program.c_str(), program.c_str(), "score", "--verifier", "arithmetic", nullptr);
    ::_exit(98);
  }
  ::close(in[0]);
  ::close(out[1]);
  FILE* results = ::fdopen(out[0], "r");
  for (const char* answer : {"4", "5"}) {
    const std::string line = Line(answer, "4");
    ASSERT_EQ(::write(in[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
    char text[200] = "";
    ASSERT_NE(std::fgets(text, sizeof(text), results), nullptr);
    EXPECT_EQ(Json::parse(text)["reward"], *answer == '4' ? 1 : 0);
  }
  ::close(in[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  std::fclose(results);
}

// What the program shows on a terminal of 100 columns, its results going to a file.
std::string ShownOnATerminal(const Workplace& place) {
  int main = -1, terminal = -1;
  if (::openpty(&main, &terminal, nullptr, nullptr, nullptr) != 0) return "no terminal";
  const std::string program = std::string(HONE_BINARY_DIR) + "/hone";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(terminal, STDERR_FILENO);
    const int out = ::open((place / "scores").c_str(), O_CREAT | O_WRONLY, 0644);
    ::dup2(out, STDOUT_FILENO);
    ::execl(program.c_str(), program.c_str(), "score", "--verifier", "arithmetic", "--input",
            (place / "lines.jsonl").c_str(), nullptr);
    ::_exit(98);
  }
  ::close(terminal);
  std::string shown;
  char part[1000];
  for (ssize_t got; (got = ::read(main, part, sizeof(part))) > 0;) {
    shown.append(part, static_cast<size_t>(got));
  }
  ::close(main);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << shown;
  return shown;
}

TEST_F(ScoreTest, ProgressIsShownOnATerminalOnly) {
  std::string input;
  for (int i = 0; i < 5000; ++i) input += Line("4", "4");
  place.Write("lines.jsonl", input);
  const std::string shown = ShownOnATerminal(place);
  EXPECT_THAT(shown,
              AllOf(HasSubstr("scored 4096 ["), HasSubstr("scored 5000 ["), HasSubstr("100 %")));
  EXPECT_EQ(Lines(Slurp(place / "scores")).size(), 5000u);
  const Outcome outcome =
      place.Run({"score", "--verifier", "arithmetic", "--input", "lines.jsonl"});
  EXPECT_EQ(outcome.err, "");
}

}  // namespace
}  // namespace hone
