// hone score: a verifier on completions from a file or standard input.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/command.h"
#include "common/error.h"
#include "common/json.h"
#include "reward/options.h"
#include "reward/verifier.h"
#include "rollout/data_file.h"
#include "rollout/gold_answer.h"

namespace hone {
namespace {

struct ScoreFlags {
  RewardConfig reward;
  std::vector<std::string> pairs;
  std::string input;
  std::string answer_column = "answer", answer_from = "column";
  uint64_t seed = 0;
};

void ScoreRow(const Verifier& verifier, const ScoreFlags& flags, const RowPlace& place,
              const std::string& text, uint64_t ordinal) {
  Json row = ParseRow(place, text);
  if (!row.contains("completion") || !row["completion"].is_string()) {
    place.Fail("expected an object with \"completion\" as text and the columns of the data set");
  }
  if (flags.answer_from != "column")
    row[flags.answer_column] = GoldAnswer(place, row, flags.answer_column, flags.answer_from);
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
  const std::string line = Dump(result) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
    throw RunError("standard output: cannot write");
  }
}

void ScoreRows(const Verifier& verifier, const ScoreFlags& flags) {
  uint64_t ordinal = 0;
  const auto score = [&](const RowPlace& place, const std::string& text) {
    ScoreRow(verifier, flags, place, text, ordinal++);
  };
  if (flags.input.empty()) {
    ForEachRow(*StandardInput(), "standard input", score);
  } else {
    ForEachRow(flags.input, score);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw RunError("standard output: cannot write");
  }
}

}  // namespace

void AddScoreCommand(CLI::App& program) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* command = program.add_subcommand(
      "score",
      "Score completions: a line {\"completion\", …columns} gives a line {\"reward\", \"error\"}");
  command
      ->add_option("--verifier", flags->reward.verifier,
                   "format, exact_match, arithmetic, countdown, random or code")
      ->required();
  command->add_option("--set", flags->pairs, "An option of the verifier: key=value (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--input", flags->input,
                      "JSON Lines, a JSON array or Parquet; standard input when not given");
  command
      ->add_option("--answer-column", flags->answer_column,
                   "Where the right answer stands, for verifiers that compare")
      ->capture_default_str();
  command
      ->add_option("--answer-from", flags->answer_from,
                   "The answer within that column: column, gsm8k or boxed")
      ->capture_default_str()
      ->check(CLI::IsMember({"column", "gsm8k", "boxed"}));
  command->add_option("--seed", flags->seed,
                      "Of the verifier `random`; the group is the line, from 0");
  command->callback([flags] {
    flags->reward.options = ParseOptions(flags->pairs);
    UseAnswerColumn(flags->answer_column, &flags->reward);
    ScoreRows(*MakeVerifier(flags->reward, flags->seed), *flags);
  });
}

}  // namespace hone
