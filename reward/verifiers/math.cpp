// The rules, in order:
// 1. Only what follows the thought counts (reward/thought.h).
// 2. The answer is what the boxes hold; else the last <answer>…</answer>; else what follows "the
//    answer is" or "answer:". With extract = "none" all that follows the thought is the answer.
// 3. Boxes that differ are the parts of one answer when they stand side by side, and two answers,
//    which count as none, when they do not. A tag or phrase that gives another number than the
//    boxes is a second answer too, and so is a denial behind the answer.
// 4. The answer and the column are compared by reward/math/compare.h. What goes over its limits is
//    "cannot decide".
#include <fmt/format.h>

#include "reward/answer.h"
#include "reward/math/compare.h"
#include "reward/math/locate.h"
#include "reward/math/parse.h"
#include "reward/thought.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

using math::Tri;

class MathVerifier : public Verifier {
 public:
  explicit MathVerifier(const Json& options) {
    OptionReader reader(name(), options);
    answer_column_ = reader.Text("answer_column", "answer");
    think_in_prompt_ = reader.Bool("think_in_prompt", false);
    whole_ = reader.OneOf("extract", "answer", {"answer", "none"}) == "none";
    compare_.decimals = static_cast<int>(reader.Integer("decimals", 6, 1, 15));
    compare_.units = reader.Bool("units", true);
    reader.Finish();
  }
  std::string name() const override { return "math"; }
  bool judges_answers() const override { return true; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    std::string error;
    const auto column = ColumnText(columns, answer_column_, &error);
    if (!column) return std::nullopt;
    return whole_ ? GoldOf(*column) : fmt::format("\\boxed{{{}}}", GoldOf(*column));
  }

  Verdict Score(const Sample& sample) const override {
    std::string error;
    const auto column = ColumnText(sample.columns, answer_column_, &error);
    if (!column) return {.reward = 0, .error = error};
    const std::string gold = GoldOf(*column);
    const auto visible = AfterThought(sample.completion, think_in_prompt_);
    if (!visible) return Miss(sample, "no answer: the thought does not end");
    if (whole_) return Judge(sample, gold, std::string(Trim(*visible)), "whole");
    const math::Located located = math::Locate(*visible);
    if (located.answers.empty()) return Miss(sample, "no answer behind the thought");
    if (located.denied) return Miss(sample, located.denied);
    std::string answer(located.answers.back());
    if (!Agree(located.answers)) {
      if (!located.together) return Miss(sample, "it boxes different answers");
      answer = Joined(located.answers);
    }
    for (const auto other : located.others) {
      if (Conflict(other, answer)) {
        return Miss(sample, "it gives a second answer: " + std::string(other.substr(0, 60)));
      }
    }
    return Judge(sample, gold, answer, located.where);
  }

 private:
  static Verdict Miss(const Sample& sample, std::string_view why) {
    if (sample.explanation) *sample.explanation = {{"why", why}};
    return {};
  }

  Verdict Judge(const Sample& sample, const std::string& gold, const std::string& answer,
                const char* where) const {
    std::string how;
    const Tri same = math::SameAnswer(gold, answer, compare_, sample.explanation ? &how : nullptr);
    if (sample.explanation) {
      *sample.explanation = {{"extracted", answer.substr(0, 500)},
                             {"from", where},
                             {"expected", gold.substr(0, 500)},
                             {"how", how},
                             {"why", same == Tri::kYes  ? "equal"
                                     : same == Tri::kNo ? "different"
                                                        : "cannot decide"}};
    }
    if (same == Tri::kUnknown) {
      return {.reward = 0,
              .error = "cannot decide: the answer is undefined or over the limits of comparison"};
    }
    return {.reward = same == Tri::kYes ? 1.0 : 0.0, .error = {}};
  }

  // A column may hold a whole solution: the boxes count.
  static std::string GoldOf(const std::string& column) {
    const auto boxes = math::Boxes(column);
    return boxes.empty() ? column : boxes.size() == 1 ? std::string(boxes[0]) : Joined(boxes);
  }

  static std::string Joined(const std::vector<std::string_view>& answers) {
    std::string text;
    for (const auto answer : answers) text += (text.empty() ? "" : ", ") + std::string(answer);
    return text;
  }

  bool Agree(const std::vector<std::string_view>& answers) const {
    for (const auto answer : answers) {
      if (answer != answers.back() &&
          math::SameAnswer(answers.back(), answer, compare_, nullptr) != Tri::kYes) {
        return false;
      }
    }
    return true;
  }

  // A phrase that is prose ("the answer is the sum of …") says nothing against the answer.
  bool Conflict(std::string_view other, const std::string& answer) const {
    if (other == answer) return false;
    math::Arena arena;
    math::Budget budget;
    const math::Answer parsed = math::Parse(other, false, &arena, &budget);
    if (budget.spent || parsed.value->op == math::Op::kText) return false;
    return math::SameAnswer(answer, other, compare_, nullptr) != Tri::kYes;
  }

  std::string answer_column_;
  bool think_in_prompt_, whole_;
  math::CompareOptions compare_;
};

}  // namespace

std::unique_ptr<Verifier> MakeMathVerifier(const Json& options) {
  return std::make_unique<MathVerifier>(options);
}

}  // namespace hone
