// Multiple choice. The column holds the letter ("B", "(B)") or, as a number, its index from 0. The
// answer is looked for behind the thought as `math` does it: boxes, else the last <answer>, else
// "the answer is". It is a letter, alone or in parentheses, maybe with the text of its choice
// behind a mark: "B", "(B)", "b)", "B. 12", "\text{(B)}". With a column `choices` the text of the
// right choice counts too. Two letters, a letter that the solution denies, and a letter that is not
// among the choices count as none.
#include <fmt/format.h>

#include "reward/answer.h"
#include "reward/math/compare.h"
#include "reward/math/locate.h"
#include "reward/math/parse.h"
#include "reward/thought.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

class MultipleChoiceVerifier : public Verifier {
 public:
  explicit MultipleChoiceVerifier(const Json& options) {
    OptionReader reader(name(), options);
    answer_column_ = reader.Text("answer_column", "answer");
    choices_column_ = reader.Text("choices_column", "choices");
    letters_ = static_cast<char>(reader.Integer("letters", 10, 2, 10));
    think_in_prompt_ = reader.Bool("think_in_prompt", false);
    reader.Finish();
  }
  std::string name() const override { return "multiple_choice"; }
  bool judges_answers() const override { return true; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    const char gold = Gold(columns);
    if (gold == '\0') return std::nullopt;
    return fmt::format("\\boxed{{{}}}", gold);
  }

  Verdict Score(const Sample& sample) const override {
    const char gold = Gold(sample.columns);
    if (gold == '\0') {
      return {.reward = 0,
              .error = fmt::format("expected a letter from A to {} or an index in column \"{}\"",
                                   static_cast<char>('A' + letters_ - 1), answer_column_)};
    }
    const auto visible = AfterThought(sample.completion, think_in_prompt_);
    const math::Located located = visible ? math::Locate(*visible) : math::Located{};
    const char* why = "no answer behind the thought";
    char letter = '\0';
    if (!located.answers.empty()) {
      letter = Letter(sample, located.answers.back());
      why = letter == gold ? "the same choice" : letter == '\0' ? "no choice" : "another choice";
      for (const auto* places : {&located.answers, &located.others}) {
        for (const auto other : *places) {
          const char second = Letter(sample, other);
          if (second != letter && (second != '\0' || places == &located.answers)) {
            letter = '\0';
            why = "two answers";
          }
        }
      }
      if (located.denied) {
        letter = '\0';
        why = located.denied;
      }
    }
    if (sample.explanation) {
      *sample.explanation = {
          {"extracted",
           located.answers.empty() ? "" : std::string(located.answers.back().substr(0, 100))},
          {"expected", std::string(1, gold)},
          {"why", why}};
    }
    return {.reward = letter == gold ? 1.0 : 0.0, .error = {}};
  }

 private:
  bool IsLetter(char c) const { return c >= 'A' && c < 'A' + letters_; }

  char Gold(const Json& columns) const {
    if (!columns.is_object() || !columns.contains(answer_column_)) return '\0';
    const Json& value = columns[answer_column_];
    char letter = '\0';
    if (value.is_number_unsigned() && value.get<uint64_t>() < 10)
      letter = static_cast<char>('A' + value.get<int>());
    if (value.is_string()) letter = math::ChoiceOf(value.get<std::string>(), /*any_case=*/true);
    return IsLetter(letter) ? letter : '\0';
  }

  // The letter that an answer chooses, by itself or by the text of its choice.
  char Letter(const Sample& sample, std::string_view answer) const {
    if (answer.size() > math::kMaxAnswerLength) return '\0';
    if (const char letter = math::ChoiceOf(answer, /*any_case=*/true); IsLetter(letter))
      return letter;
    if (!sample.columns.contains(choices_column_) || !sample.columns[choices_column_].is_array())
      return '\0';
    const Json& choices = sample.columns[choices_column_];
    const std::string text = math::PlainText(answer);
    for (size_t i = 0; i < choices.size() && i < static_cast<size_t>(letters_) && !text.empty();
         ++i) {
      if (choices[i].is_string() && math::PlainText(choices[i].get<std::string>()) == text)
        return static_cast<char>('A' + i);
    }
    return '\0';
  }

  std::string answer_column_, choices_column_;
  char letters_;
  bool think_in_prompt_;
};

}  // namespace

std::unique_ptr<Verifier> MakeMultipleChoiceVerifier(const Json& options) {
  return std::make_unique<MultipleChoiceVerifier>(options);
}

}  // namespace hone
