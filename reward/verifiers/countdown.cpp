#include <fmt/format.h>

#include <algorithm>

#include "reward/answer.h"
#include "reward/countdown_search.h"
#include "reward/rational.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

constexpr size_t kMaxNums = 1000;  // of a data line

struct Puzzle {
  std::vector<mpz_class> nums;  // sorted
  mpz_class target;
};

// The columns as numbers; nothing, and `error` says why, when they are not of the task.
std::optional<Puzzle> ReadPuzzle(const Json& columns, std::string* error) {
  const auto integer = [](const Json& value) { return mpz_class(Dump(value), 10); };
  const Json none, &nums = columns.is_object() && columns.contains("nums") ? columns["nums"] : none;
  const bool integers = nums.is_array() && !nums.empty() && nums.size() <= kMaxNums &&
                        std::all_of(nums.begin(), nums.end(),
                                    [](const Json& number) { return number.is_number_integer(); });
  if (!integers) {
    *error = "expected a column \"nums\" with an array of integers";
    return std::nullopt;
  }
  if (!columns.contains("target") || !columns["target"].is_number_integer()) {
    *error = "expected a column \"target\" with an integer";
    return std::nullopt;
  }
  Puzzle puzzle;
  for (const auto& number : nums) puzzle.nums.push_back(integer(number));
  std::sort(puzzle.nums.begin(), puzzle.nums.end());
  puzzle.target = integer(columns["target"]);
  return puzzle;
}

class CountdownVerifier : public Verifier {
 public:
  explicit CountdownVerifier(const Json& options) {
    OptionReader reader(name(), options);
    use_all_ = reader.Bool("use_all", true);
    format_score_ = reader.Number("format_score", 0, 0, 1);
    extract_ = ReadExtract(reader);
    reader.Finish();
  }
  std::string name() const override { return "countdown"; }
  bool judges_answers() const override { return true; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    std::string error;
    const auto puzzle = ReadPuzzle(columns, &error);
    if (!puzzle || !puzzle->target.fits_slong_p()) return std::nullopt;
    std::vector<int64_t> nums;
    for (const mpz_class& number : puzzle->nums) {
      if (!number.fits_slong_p()) return std::nullopt;
      nums.push_back(number.get_si());
    }
    const auto expression = SolveCountdown(nums, puzzle->target.get_si(), use_all_);
    return expression ? std::optional(PlaceAnswer(*expression, extract_)) : std::nullopt;
  }
  Verdict Score(const Sample& sample) const override {
    std::string error;
    const auto puzzle = ReadPuzzle(sample.columns, &error);
    if (!puzzle) return {.reward = 0, .error = error};
    const auto answer = ExtractAnswer(sample.completion, extract_);
    if (sample.explanation) {
      *sample.explanation = {{"extracted", answer ? std::string(answer->substr(0, 500)) : ""},
                             {"expected", puzzle->target.get_str()},
                             {"why", answer ? "no expression" : "no answer"}};
    }
    if (!answer) return {};
    Expression expression;
    switch (ParseExpression(*answer, &expression)) {
      case Parsed::kOk:
        break;
      case Parsed::kWrong:
        return {};
      case Parsed::kTooLarge:
        return {.reward = 0,
                .error =
                    fmt::format("cannot decide: the expression has over {} characters or {} levels",
                                kMaxExpressionLength, kMaxExpressionDepth)};
    }
    const bool uses = UsesItsNumbers(*puzzle, std::move(expression.numbers));
    const bool solved = uses && expression.defined && expression.value == puzzle->target;
    if (sample.explanation) {
      (*sample.explanation)["value"] =
          expression.defined ? expression.value.get_str() : "undefined";
      (*sample.explanation)["why"] = solved ? "solved" : uses ? "another value" : "other numbers";
    }
    return {.reward = solved ? 1.0 : format_score_, .error = {}};
  }

 private:
  bool UsesItsNumbers(const Puzzle& puzzle, std::vector<mpz_class> used) const {
    std::sort(used.begin(), used.end());
    // Both are sorted multisets: `includes` counts repeated numbers.
    return use_all_
               ? used == puzzle.nums
               : std::includes(puzzle.nums.begin(), puzzle.nums.end(), used.begin(), used.end());
  }

  bool use_all_;
  double format_score_;
  Extract extract_;
};

}  // namespace

std::unique_ptr<Verifier> MakeCountdownVerifier(const Json& options) {
  return std::make_unique<CountdownVerifier>(options);
}

}  // namespace hone
