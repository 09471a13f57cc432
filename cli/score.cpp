// hone score: a verifier on completions from a file or standard input.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <optional>

#include "cli/command.h"
#include "common/error.h"
#include "common/json.h"
#include "common/thread_pool.h"
#include "reward/options.h"
#include "reward/verify.h"
#include "rollout/data_file.h"
#include "rollout/gold_answer.h"

namespace hone {
namespace {

constexpr size_t kBatch = 4096;  // rows that are scored at once

struct ScoreFlags {
  RewardConfig reward;
  std::vector<std::string> pairs;
  std::string input;
  std::string answer_column = "answer", answer_from = "column";
  uint64_t seed = 0;
  int threads = 0;
  bool explain = false;
};

struct Row {
  RowPlace place;
  std::string text;
};

OrderedJson Result(double reward, const std::optional<std::string>& error) {
  OrderedJson result;
  result["reward"] = error ? 0 : reward;
  result["error"] = error ? OrderedJson(*error) : OrderedJson(nullptr);
  return result;
}

// Throws RowError for a row that is none.
std::string ScoreRow(const Verifier& verifier, const ScoreFlags& flags, const Row& input,
                     uint64_t ordinal) {
  Json row = ParseRow(input.place, input.text);
  if (!row.contains("completion") || !row["completion"].is_string()) {
    input.place.Fail(
        "expected an object with \"completion\" as text and the columns of the data set");
  }
  if (flags.answer_from != "column") {
    row[flags.answer_column] = GoldAnswer(input.place, row, flags.answer_column, flags.answer_from);
  }
  const std::string completion = row["completion"].get<std::string>();
  // A column named prompt may hold messages: no verifier here needs it as text.
  const std::string prompt = row.contains("prompt") && row["prompt"].is_string()
                                 ? row["prompt"].get<std::string>()
                                 : std::string();
  OrderedJson explanation = OrderedJson::object();
  Sample sample{.prompt = prompt, .completion = completion, .columns = row, .group = ordinal};
  if (row.contains("completion_tokens")) {
    const Json& tokens = row["completion_tokens"];  // ids, or how many
    if (tokens.is_array()) sample.tokens = static_cast<int64_t>(tokens.size());
    if (tokens.is_number_unsigned()) sample.tokens = tokens.get<int64_t>();
  }
  if (flags.explain) sample.explanation = &explanation;
  Verdict verdict = verifier.Score(sample);
  if (!verdict.error && !std::isfinite(verdict.reward))
    verdict.error = fmt::format("expected a finite reward, found {}", verdict.reward);
  OrderedJson result = Result(verdict.reward, verdict.error);
  if (flags.explain) result["explanation"] = std::move(explanation);
  return Dump(result) + "\n";
}

// Scores rows in batches on all threads, and writes them in their order. A row that is none gets an
// error in its place.
class RowScorer {
 public:
  RowScorer(const Verifier& verifier, const ScoreFlags& flags)
      : verifier_(verifier),
        flags_(flags),
        pool_(flags.threads),
        terminal_(::isatty(STDERR_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 0),
        bytes_(flags.input.empty() ? 0 : SizeOf(flags.input)) {}

  void Add(const RowPlace& place, const std::string& text) {
    rows_.push_back({place, text});
    if (rows_.size() == kBatch) Flush();
  }

  void Flush() {
    if (rows_.empty()) return;
    std::vector<std::string> results(rows_.size()), bad(rows_.size());
    std::vector<std::exception_ptr> errors(rows_.size());
    const int64_t grain = verifier_.deadline_s() > 0 ? 1 : 8;
    pool_.For(static_cast<int64_t>(rows_.size()), grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<size_t>(i);
        try {
          results[at] = ScoreRow(verifier_, flags_, rows_[at], done_ + at);
        } catch (const RowError& error) {
          bad[at] = error.what();
          results[at] = Dump(Result(0, bad[at])) + "\n";
        } catch (...) {
          errors[at] = std::current_exception();  // rethrown behind the rows before it
        }
      }
    });
    for (size_t i = 0; i < results.size(); ++i) {
      if (errors[i]) {
        EndProgress();
        std::rethrow_exception(errors[i]);
      }
      if (std::fwrite(results[i].data(), 1, results[i].size(), stdout) != results[i].size()) {
        throw RunError("standard output: cannot write");
      }
      if (!bad[i].empty() && bad_rows_++ == 0) first_bad_ = bad[i];
      read_ += rows_[i].text.size() + 1;
    }
    done_ += rows_.size();
    rows_.clear();
    ShowProgress();
  }

  void EndProgress() {
    if (shown_) std::fputc('\n', stderr);
    shown_ = false;
  }

  // Throws, with exit code 3, when there were rows that could not be scored.
  void RefuseBadRows() const {
    if (bad_rows_ == 0) return;
    throw Error(ExitCode::kBadFile, fmt::format("{} of {} rows could not be scored; the first: {}",
                                                bad_rows_, done_, first_bad_));
  }

 private:
  static uintmax_t SizeOf(const std::string& path) {
    std::error_code error;
    const uintmax_t size = std::filesystem::file_size(path, error);
    return error ? 0 : size;
  }

  void ShowProgress() {
    if (!terminal_) return;
    shown_ = true;
    if (bytes_ == 0) {
      std::fprintf(stderr, "\rscored %llu\033[K", static_cast<unsigned long long>(done_));
      return;
    }
    constexpr int kWidth = 30;
    const double share = std::min(1.0, static_cast<double>(read_) / static_cast<double>(bytes_));
    const int full = static_cast<int>(share * kWidth);
    std::fprintf(stderr, "\rscored %llu [%s%s] %3.0f %%\033[K",
                 static_cast<unsigned long long>(done_),
                 std::string(static_cast<size_t>(full), '#').c_str(),
                 std::string(static_cast<size_t>(kWidth - full), '.').c_str(), 100 * share);
  }

  const Verifier& verifier_;
  const ScoreFlags& flags_;
  ThreadPool pool_;
  bool terminal_, shown_ = false;
  uintmax_t bytes_, read_ = 0;
  uint64_t done_ = 0, bad_rows_ = 0;
  std::string first_bad_;
  std::vector<Row> rows_;
};

bool MoreToRead() {
  pollfd wait = {STDIN_FILENO, POLLIN, 0};
  return ::poll(&wait, 1, 0) > 0;
}

void ScoreRows(const Verifier& verifier, const ScoreFlags& flags) {
  RowScorer scorer(verifier, flags);
  int64_t next = 1;
  const auto take = [&](const RowPlace& place, const std::string& text) {
    // A result for a line: also for one that is blank, which the reader passes over.
    for (RowPlace blank = place; place.unit == "line" && next < place.number; ++next) {
      blank.number = next;
      scorer.Add(blank, "");
    }
    scorer.Add(place, text);
    next = place.number + 1;
  };
  if (!flags.input.empty()) {
    ForEachRow(flags.input, take);
  } else {
    // Whoever writes a line and waits for its score gets it.
    ForEachRow(*StandardInput(), "standard input",
               [&](const RowPlace& place, const std::string& text) {
                 take(place, text);
                 if (MoreToRead()) return;
                 scorer.Flush();
                 std::fflush(stdout);
               });
  }
  scorer.Flush();
  scorer.EndProgress();
  // A flush that failed on the way loses the failure: the stream's own mark is what counts.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw RunError("standard output: cannot write");
  }
  scorer.RefuseBadRows();
}

}  // namespace

void AddScoreCommand(CLI::App& program) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* command = program.add_subcommand(
      "score",
      "Score completions: a line {\"completion\", …columns} gives a line {\"reward\", \"error\"}");
  command->footer(
      "Results are in order, one a line; a line that cannot be scored, a blank one before others\n"
      "included, gives {\"reward\": 0, \"error\": text}, the rest go on, and the exit code is 3.");
  std::string names;
  for (const auto& name : VerifierNames()) names += (names.empty() ? "" : ", ") + name;
  command
      ->add_option("--verifier", flags->reward.verifier,
                   "One of " + names + ", or the path or URL of one of your own")
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
  command->add_option("--threads", flags->threads, "Threads; 0: one a core")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--explain", flags->explain,
                    "Add \"explanation\": what was extracted, how it was compared and why");
  command->callback([flags] {
    flags->reward.options = ParseOptions(flags->pairs);
    UseAnswerColumn(flags->answer_column, &flags->reward);
    ScoreRows(*MakeVerifier(flags->reward, flags->seed), *flags);
  });
}

}  // namespace hone
