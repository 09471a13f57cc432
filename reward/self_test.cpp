#include "reward/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>

#include "common/philox.h"
#include "common/thread_pool.h"
#include "reward/attacks.h"
#include "rollout/prompt_template.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kAttackRows = 100;
// Of a verifier that starts processes, and how long it is tested for.
constexpr int64_t kProcessRows = 50, kProcessAttackRows = 4;
constexpr std::chrono::seconds kProcessTime{60};
constexpr size_t kFirstWrong = 20;
constexpr size_t kShown = 500;  // bytes of a text that a case keeps

// Rows without repetition, in the order they are drawn in.
std::vector<size_t> DrawRows(size_t rows, int64_t wanted, uint64_t seed) {
  std::vector<size_t> order(rows);
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t drawn = std::min(rows, static_cast<size_t>(wanted));
  for (size_t i = 0; i < drawn; ++i) {
    const Address address{Purpose::kSelfTest, 0, 0, static_cast<uint32_t>(i)};
    const uint32_t word = Philox(seed, address)[0];
    std::swap(order[i], order[i + UniformBelow(word, static_cast<uint32_t>(rows - i))]);
  }
  order.resize(drawn);
  return order;
}

struct Row {
  RowPlace place;
  std::string_view prompt;
  Json columns;
};

Row ReadRow(const PromptSet& prompts, size_t index) {
  const PromptRow& row = prompts.rows[index];
  return {prompts.Place(row), row.prompt, ParseRow(prompts.Place(row), row.columns)};
}

std::string PlaceText(const RowPlace& place) { return place.path + ": " + place.where(); }

struct Outcome {
  enum class Kind { kNotReached, kUnknown, kAccepted, kOutOfForm, kRefused, kError };
  Kind kind = Kind::kNotReached;
  ErrorCause cause = ErrorCause::kUndecided;
  SelfTestCase shown = {};  // when it is wrong
};

// One verifier of the run, and what its completions must look like.
class Examinee {
 public:
  Examinee(const Scorer& scorer, size_t verifier)
      : verifier_(*scorer.verifiers()[verifier]),
        template_(scorer.rewards()[verifier].gold_template, "gold_template") {
    const auto& names = scorer.names();
    for (size_t v = 0; v < names.size(); ++v) {
      const bool gate = names[v] == scorer.rewards()[verifier].gate;
      if (v == verifier || !scorer.verifiers()[v]->InForm("")) continue;
      if (form_ == nullptr || gate) form_ = scorer.verifiers()[v].get();
      gated_ |= gate;
    }
  }

  bool tested() const { return verifier_.judges_answers() || !template_.empty(); }
  bool slow() const { return verifier_.deadline_s() > 0; }

  Outcome JudgeGold(const Row& row) const {
    std::vector<std::string> texts;
    try {
      texts = GoldCompletions(row);
    } catch (const RowError& error) {
      std::string said = error.what();
      if (said.starts_with(PlaceText(row.place))) said.erase(0, PlaceText(row.place).size() + 2);
      return {Outcome::Kind::kError, ErrorCause::kUndecided, {PlaceText(row.place), "", "", said}};
    }
    // A row that lacks what the verifier compares with is an error whatever the completion.
    const bool known = !texts.empty();
    if (!known) texts.emplace_back();
    std::optional<Verdict> first;
    for (size_t i = 0; i < texts.size(); ++i) {
      const Verdict verdict = Ask(row, texts[i]);
      if (Accepts(verdict) && Open(row, texts[i])) {
        const bool apart = i > 0 && form_ != nullptr;
        return {.kind = apart ? Outcome::Kind::kOutOfForm : Outcome::Kind::kAccepted};
      }
      if (!first) first = verdict;
    }
    if (!known && !first->error) return {.kind = Outcome::Kind::kUnknown};
    const bool error = first->error.has_value();
    return {error ? Outcome::Kind::kError : Outcome::Kind::kRefused, first->cause,
            Show(row, "", texts[0], *first)};
  }

  std::vector<Outcome> JudgeAttacks(const Row& row) const {
    std::string gold = verifier_.GoldAnswer(row.columns).value_or("");
    std::vector<Attack> attacks = MakeAttacks(row.prompt, gold);
    if (form_ != nullptr && !gold.empty()) {
      attacks.push_back({"the form without an answer", *form_->InForm("")});
    }
    std::vector<Outcome> outcomes;
    for (const Attack& attack : attacks) {
      const Verdict verdict = Ask(row, attack.completion);
      if (verdict.error) {
        outcomes.push_back({.kind = Outcome::Kind::kError, .cause = verdict.cause});
      } else if (Accepts(verdict)) {
        outcomes.push_back({Outcome::Kind::kAccepted, ErrorCause::kUndecided,
                            Show(row, attack.name, attack.completion, verdict)});
      } else {
        outcomes.push_back({.kind = Outcome::Kind::kRefused});
      }
    }
    return outcomes;
  }

 private:
  static bool Accepts(const Verdict& verdict) { return !verdict.error && verdict.reward >= 1; }

  Sample MakeSample(const Row& row, std::string_view completion) const {
    return {.prompt = row.prompt,
            .completion = completion,
            .columns = row.columns,
            .group = static_cast<uint64_t>(row.place.number)};
  }
  Verdict Ask(const Row& row, std::string_view completion) const {
    return verifier_.Score(MakeSample(row, completion));
  }

  // The likeliest form of a right completion first; none: it is not known.
  std::vector<std::string> GoldCompletions(const Row& row) const {
    if (!template_.empty()) return {template_.Fill(row.place, row.columns)};
    const auto answer = verifier_.GoldAnswer(row.columns);
    if (!answer) return {};
    std::vector<std::string> texts;
    if (form_ != nullptr) texts.push_back(*form_->InForm(*answer));
    if (gated_) return texts;
    texts.push_back("<think>\nStep by step.\n</think>\n" + *answer);
    texts.push_back(*answer);
    return texts;
  }

  bool Open(const Row& row, std::string_view completion) const {
    return !gated_ || form_->Score(MakeSample(row, completion)).reward > 0;
  }

  SelfTestCase Show(const Row& row, const std::string& attack, const std::string& completion,
                    const Verdict& verdict) const {
    SelfTestCase shown{PlaceText(row.place), attack, completion.substr(0, kShown), ""};
    if (verdict.error) {
      shown.said = verdict.error->substr(0, kShown);
    } else if (Accepts(verdict) && attack.empty()) {
      shown.said = form_->name() + ", its gate, refuses it";
    } else if (slow()) {
      shown.said = fmt::format("reward {}", verdict.reward);
    } else {
      OrderedJson explanation = OrderedJson::object();
      Sample sample = MakeSample(row, completion);
      sample.explanation = &explanation;
      verifier_.Score(sample);
      for (const auto& [key, value] : explanation.items()) {
        shown.said += fmt::format("{}{} {}", shown.said.empty() ? "" : ", ", key, Dump(value));
      }
    }
    return shown;
  }

  const Verifier& verifier_;
  const PromptTemplate template_;
  const Verifier* form_ = nullptr;  // what completions of the run must look like
  bool gated_ = false;              // by form_
};

void Count(Outcome outcome, bool wrong_when_accepted, SelfTestTally* tally) {
  ++tally->asked;
  const bool error = outcome.kind == Outcome::Kind::kError;
  const bool accepted = !error && outcome.kind != Outcome::Kind::kRefused;
  if (error) {
    ++tally->errors[ErrorCauseName(outcome.cause)];
  } else {
    ++(accepted ? tally->accepted : tally->refused);
  }
  if (accepted == wrong_when_accepted && !outcome.shown.place.empty() &&
      tally->wrong.size() < kFirstWrong) {
    tally->wrong.push_back(std::move(outcome.shown));
  }
}

// Calls judge(row) for the first `wanted` of the drawn rows, and gives what it says in order of the
// rows. Empty where the time was up.
template <typename Judge>
auto ForRows(const PromptSet& prompts, const std::vector<size_t>& drawn, int64_t wanted, bool slow,
             ThreadPool& pool, const Judge& judge) {
  std::vector<size_t> rows(drawn.begin(),
                           drawn.begin() + std::min<int64_t>(wanted, std::ssize(drawn)));
  std::sort(rows.begin(), rows.end());
  const Clock::time_point deadline = Clock::now() + kProcessTime;
  std::vector<decltype(judge(std::declval<Row>()))> said(rows.size());
  pool.For(std::ssize(rows), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (slow && Clock::now() > deadline) return;
      const auto at = static_cast<size_t>(i);
      said[at] = judge(ReadRow(prompts, rows[at]));
    }
  });
  return said;
}

void TestOne(const Examinee& examinee, const PromptSet& prompts, const std::vector<size_t>& drawn,
             ThreadPool& pool, SelfTestResult* result) {
  const bool slow = examinee.slow();
  const auto gold = ForRows(prompts, drawn, slow ? kProcessRows : std::ssize(drawn), slow, pool,
                            [&](const Row& row) { return examinee.JudgeGold(row); });
  for (const Outcome& outcome : gold) {
    result->not_reached += outcome.kind == Outcome::Kind::kNotReached;
    result->without_gold += outcome.kind == Outcome::Kind::kUnknown;
    result->out_of_form += outcome.kind == Outcome::Kind::kOutOfForm;
    if (outcome.kind != Outcome::Kind::kNotReached && outcome.kind != Outcome::Kind::kUnknown)
      Count(outcome, /*wrong_when_accepted=*/false, &result->gold);
  }
  const auto attacks = ForRows(prompts, drawn, slow ? kProcessAttackRows : kAttackRows, slow, pool,
                               [&](const Row& row) { return examinee.JudgeAttacks(row); });
  for (const auto& outcomes : attacks) {
    for (const Outcome& outcome : outcomes)
      Count(outcome, /*wrong_when_accepted=*/true, &result->attacks);
  }
}

}  // namespace

std::vector<SelfTestResult> TestVerifiers(const Scorer& scorer, const PromptSet& prompts,
                                          const SelfTestSection& section, uint64_t seed,
                                          int threads) {
  const std::vector<size_t> drawn = DrawRows(prompts.rows.size(), section.rows, seed);
  ThreadPool pool(threads);
  std::vector<SelfTestResult> results;
  for (size_t v = 0; v < scorer.verifiers().size(); ++v) {
    SelfTestResult& result = results.emplace_back();
    result.verifier = scorer.names()[v];
    const Examinee examinee(scorer, v);
    if (examinee.tested()) {
      TestOne(examinee, prompts, drawn, pool, &result);
    } else if (scorer.rewards()[v].verifier.find('/') != std::string::npos) {
      result.untested = "what is right for a verifier of one's own its gold_template would say";
    } else {
      result.untested = "it judges no answers";
    }
  }
  return results;
}

}  // namespace hone
