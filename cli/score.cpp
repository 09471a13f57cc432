// hone score: a verifier on completions from a file or standard input.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "cli/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "reward/options.h"
#include "reward/verifier.h"

namespace hone {
namespace {

void ScoreLine(const Verifier& verifier, const std::string& line, const std::string& path,
               int64_t number, uint64_t ordinal) {
  const Json row = ParseJsonLine(line, path, number);
  if (!row.is_object() || !row.contains("completion") || !row["completion"].is_string()) {
    throw FileError(
        path, "line " + std::to_string(number),
        "expected an object with \"completion\" as text and the columns of the data set");
  }
  const std::string completion = row["completion"].get<std::string>();
  // A column named prompt may hold messages: no verifier here needs it as text.
  const std::string prompt = row.contains("prompt") && row["prompt"].is_string()
                                 ? row["prompt"].get<std::string>()
                                 : std::string();
  const Verdict verdict = verifier.Score(
      {.prompt = prompt, .completion = completion, .columns = row, .group = ordinal, .index = 0});
  OrderedJson result;
  result["reward"] = verdict.reward;
  result["error"] = verdict.error ? OrderedJson(*verdict.error) : OrderedJson(nullptr);
  const std::string text = Dump(result) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    throw RunError("standard output: cannot write");
  }
}

void ScoreLines(const Verifier& verifier, const std::string& input) {
  uint64_t ordinal = 0;
  const auto score = [&](const std::string& line, int64_t number) {
    ScoreLine(verifier, line, input.empty() ? "standard input" : input, number, ordinal++);
  };
  if (!input.empty()) {
    ForEachLine(input, score);
  } else {
    std::string line;
    for (int64_t number = 1; std::getline(std::cin, line); ++number) {
      if (line.find_first_not_of(" \t\r") != std::string::npos) score(line, number);
    }
  }
  // Reading from std::cin flushes too, and loses the failure: the stream's own mark is what counts.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw RunError("standard output: cannot write");
  }
}

}  // namespace

void AddScoreCommand(CLI::App& program) {
  struct Flags {
    RewardConfig reward;
    std::vector<std::string> pairs;
    std::string input;
    uint64_t seed = 0;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "score",
      "Score completions: a line {\"completion\", …columns} gives a line {\"reward\", \"error\"}");
  command
      ->add_option("--verifier", flags->reward.verifier,
                   "A built-in verifier, or the path of a program or shared library")
      ->required();
  command->add_option("--set", flags->pairs, "An option of the verifier: key=value (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--input", flags->input, "A JSON Lines file; standard input when not given");
  command->add_option("--seed", flags->seed,
                      "Of the verifier `random`; the group is the line, from 0");
  command->callback([flags] {
    flags->reward.options = ParseOptions(flags->pairs);
    ScoreLines(*MakeVerifier(flags->reward, flags->seed), flags->input);
  });
}

}  // namespace hone
