#include "reward/answer.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

class ExactMatchVerifier : public Verifier {
 public:
  explicit ExactMatchVerifier(const Json& options) {
    OptionReader reader(name(), options);
    answer_column_ = reader.Text("answer_column", "answer");
    extract_ = ReadExtract(reader);
    reader.Finish();
  }
  std::string name() const override { return "exact_match"; }
  bool judges_answers() const override { return true; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    std::string error;
    const auto text = ColumnText(columns, answer_column_, &error);
    return text ? std::optional(PlaceAnswer(*text, extract_)) : std::nullopt;
  }
  Verdict Score(const Sample& sample) const override {
    std::string error;
    const auto expected = ColumnText(sample.columns, answer_column_, &error);
    if (!expected) return {.reward = 0, .error = error};
    const auto answer = ExtractAnswer(sample.completion, extract_);
    const bool same = answer && *answer == Trim(*expected);
    if (sample.explanation) {
      *sample.explanation = {{"extracted", answer ? std::string(answer->substr(0, 500)) : ""},
                             {"expected", expected->substr(0, 500)},
                             {"why", !answer ? "no answer"
                                     : same  ? "the same text"
                                             : "another text"}};
    }
    return {.reward = same ? 1.0 : 0.0, .error = {}};
  }

 private:
  std::string answer_column_;
  Extract extract_;
};

}  // namespace

std::unique_ptr<Verifier> MakeExactMatchVerifier(const Json& options) {
  return std::make_unique<ExactMatchVerifier>(options);
}

}  // namespace hone
