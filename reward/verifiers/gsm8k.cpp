// GSM8K. The column is a whole solution that ends in "#### 42", or the number alone. Of a
// completion only what follows the thought counts, and of that:
//   strict    the number behind the last "####" ("#### 42", "#### $1,234.", "#### -3"); a second
//             one with another number makes it no answer. As lm-evaluation-harness' strict-match,
//             which takes the first.
//   flexible  the last number of the text, as its flexible-extract. A listing of guesses that ends
//             with the right one counts: strict is the default.
// Thousands separators, a currency sign before and a point behind do not count. Numbers are
// compared exactly: 42.0 is 42, where the harness compares texts.
#include <fmt/format.h>

#include "reward/answer.h"
#include "reward/rational.h"
#include "reward/thought.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

constexpr std::string_view kMark = "####";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The number at the start of `text`, behind white space, signs of currency and a minus; empty:
// none.
std::string NumberAt(std::string_view text) {
  std::string number;
  size_t at = 0;
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '*')) ++at;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) number += text[at++];
  while (at < text.size() && (text[at] == '$' || text[at] == ' ' || text[at] == '\\')) ++at;
  if (number.empty() && at < text.size() && text[at] == '-') number += text[at++];
  const size_t digits = number.size();
  for (; at < text.size(); ++at) {
    const bool next = at + 1 < text.size() && IsDigit(text[at + 1]);
    if (IsDigit(text[at])) {
      number += text[at];
    } else if (text[at] == '.' && next && number.find('.') == std::string::npos) {
      number += '.';
    } else if (!(text[at] == ',' && next && number.size() > digits)) {
      break;
    }
  }
  if (number.size() == digits) return {};
  return number;
}

// Every "####" that a number follows; they must agree.
std::string StrictNumber(std::string_view text, bool* differ) {
  std::string last;
  for (size_t at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark, at)) {
    at += kMark.size();
    while (at < text.size() && text[at] == '#') ++at;
    const std::string number = NumberAt(text.substr(at));
    if (number.empty()) continue;
    mpq_class one, other;
    if (!last.empty() && (ParseNumber(last, &one) != Parsed::kOk ||
                          ParseNumber(number, &other) != Parsed::kOk || one != other)) {
      *differ = true;
    }
    last = number;
  }
  return last;
}

std::string LastNumber(std::string_view text) {
  size_t end = text.size();
  while (end > 0 && !IsDigit(text[end - 1])) --end;
  if (end == 0) return {};
  size_t begin = end;
  while (begin > 0 &&
         (IsDigit(text[begin - 1]) || text[begin - 1] == ',' || text[begin - 1] == '.'))
    --begin;
  while (text[begin] == ',') ++begin;  // a comma of the sentence
  const bool dollar = begin > 0 && text[begin - 1] == '$';
  const size_t sign = begin - (dollar ? 1 : 0);
  // "5-3" is no minus three, "x = -3" is.
  const bool minus = sign > 0 && text[sign - 1] == '-' && (sign == 1 || !IsDigit(text[sign - 2]));
  return NumberAt((minus ? "-" : "") + std::string(text.substr(begin, end - begin)));
}

class Gsm8kVerifier : public Verifier {
 public:
  explicit Gsm8kVerifier(const Json& options) {
    OptionReader reader(name(), options);
    answer_column_ = reader.Text("answer_column", "answer");
    strict_ = reader.OneOf("match", "strict", {"strict", "flexible"}) == "strict";
    think_in_prompt_ = reader.Bool("think_in_prompt", false);
    reader.Finish();
  }
  std::string name() const override { return "gsm8k"; }
  bool judges_answers() const override { return true; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    std::string error;
    const auto column = ColumnText(columns, answer_column_, &error);
    if (!column) return std::nullopt;
    return fmt::format("{} {}", kMark, GoldOf(*column));
  }
  Verdict Score(const Sample& sample) const override {
    std::string error;
    const auto column = ColumnText(sample.columns, answer_column_, &error);
    if (!column) return {.reward = 0, .error = error};
    const std::string gold = NumberAt(GoldOf(*column));
    mpq_class expected, found;
    if (ParseNumber(gold, &expected) != Parsed::kOk) {
      return {.reward = 0,
              .error =
                  fmt::format("expected \"#### NUMBER\" or a number in column \"{}\", found \"{}\"",
                              answer_column_, column->substr(0, 100))};
    }
    const auto visible = AfterThought(sample.completion, think_in_prompt_);
    bool differ = false;
    std::string number;
    if (visible) number = strict_ ? StrictNumber(*visible, &differ) : LastNumber(*visible);
    const Parsed parsed = number.empty() ? Parsed::kWrong : ParseNumber(number, &found);
    const bool right = parsed == Parsed::kOk && !differ && found == expected;
    if (sample.explanation) {
      *sample.explanation = {{"extracted", number.substr(0, 100)},
                             {"expected", gold},
                             {"why", !visible         ? "the thought does not end"
                                     : number.empty() ? "no number"
                                     : differ         ? "two answers"
                                     : right          ? "equal"
                                                      : "different"}};
    }
    if (parsed == Parsed::kTooLarge) {
      return {
          .reward = 0,
          .error = fmt::format("cannot decide: the answer has more than {} digits", kMaxDigits)};
    }
    return {.reward = right ? 1.0 : 0.0, .error = {}};
  }

 private:
  // The answer of a whole solution, or of a column that is one.
  static std::string_view GoldOf(std::string_view column) {
    const size_t mark = column.rfind(kMark);
    return Trim(mark == std::string_view::npos ? column : column.substr(mark + kMark.size()));
  }

  std::string answer_column_;
  bool strict_, think_in_prompt_;
};

}  // namespace

std::unique_ptr<Verifier> MakeGsm8kVerifier(const Json& options) {
  return std::make_unique<Gsm8kVerifier>(options);
}

}  // namespace hone
