#include <fmt/format.h>

#include "reward/answer.h"
#include "reward/rational.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

class ArithmeticVerifier : public Verifier {
 public:
  explicit ArithmeticVerifier(const Json& options) {
    OptionReader reader(name(), options);
    answer_column_ = reader.Text("answer_column", "answer");
    extract_ = ReadExtract(reader);
    reader.Finish();
  }
  std::string name() const override { return "arithmetic"; }
  bool judges_answers() const override { return true; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    std::string error;
    const auto text = ColumnText(columns, answer_column_, &error);
    return text ? std::optional(PlaceAnswer(*text, extract_)) : std::nullopt;
  }
  Verdict Score(const Sample& sample) const override {
    std::string error;
    const auto text = ColumnText(sample.columns, answer_column_, &error);
    if (!text) return {.reward = 0, .error = error};
    mpq_class expected, found;
    if (ParseNumber(*text, &expected) != Parsed::kOk) {
      return {.reward = 0,
              .error = fmt::format("expected a number in column \"{}\", found \"{}\"",
                                   answer_column_, text->substr(0, 100))};
    }
    const auto answer = ExtractAnswer(sample.completion, extract_);
    if (sample.explanation) {
      *sample.explanation = {{"extracted", answer ? std::string(answer->substr(0, 500)) : ""},
                             {"expected", expected.get_str()},
                             {"why", answer ? "compared as exact numbers" : "no answer"}};
    }
    if (!answer) return {};
    switch (ParseNumber(*answer, &found)) {
      case Parsed::kOk:
        return {.reward = found == expected ? 1.0 : 0.0, .error = {}};
      case Parsed::kWrong:
        return {};
      case Parsed::kTooLarge:
        break;
    }
    return {.reward = 0,
            .error = fmt::format("cannot decide: the answer has more than {} digits", kMaxDigits)};
  }

 private:
  std::string answer_column_;
  Extract extract_;
};

}  // namespace

std::unique_ptr<Verifier> MakeArithmeticVerifier(const Json& options) {
  return std::make_unique<ArithmeticVerifier>(options);
}

}  // namespace hone
