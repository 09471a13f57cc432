// A verifier: a rule that scores a completion.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "reward/scoring_watch.h"

namespace hone {

// What a verifier may look at.
struct Sample {
  std::string_view prompt;
  std::string_view completion;  // text, special tokens left out
  const Json& columns;          // the data line
  uint64_t group = 0;           // address, for `random`
  uint32_t index = 0;           // of the sample in its group
  int64_t tokens = -1;          // of the completion; -1: nobody counted
  // Where a verifier that is asked writes what it extracted, how it compared and why; null: nobody
  // asks, and it costs nothing.
  OrderedJson* explanation = nullptr;
};

enum class ErrorCause {
  kUndecided,  // the text or the data line does not let it decide
  kTimeout,    // what was judged ran into its limit of time
  kCrash,      // the verifier's own program died, or answered what is no answer
  kMachine,    // this machine failed; another try may go well
};

const char* ErrorCauseName(ErrorCause cause);  // "timeout", …

struct Verdict {
  double reward = 0;
  std::optional<std::string> error = {};      // set when it could not decide; reward is 0 then
  ErrorCause cause = ErrorCause::kUndecided;  // of the error
  bool operator==(const Verdict&) const = default;
};

// Thread contract: Score may be called from several threads at once.
class Verifier {
 public:
  virtual ~Verifier() = default;
  virtual std::string name() const = 0;
  virtual Verdict Score(const Sample& sample) const = 0;
  // Many at once, in order: for verifiers that gain by it. Tells `watch` of each verdict, and lets
  // through what that throws.
  virtual std::vector<Verdict> ScoreBatch(std::span<const Sample> samples,
                                          ScoringWatch& watch) const {
    std::vector<Verdict> verdicts;
    for (const Sample& sample : samples) {
      verdicts.push_back(Score(sample));
      watch.Judged();
    }
    return verdicts;
  }
  // Seconds within which it gives a verdict, be it a time-out: it starts processes or waits for
  // others. 0: it is bounded by counted steps, and its verdict is the same on any machine; else a
  // run keeps its verdicts (VerdictRecord).
  virtual double deadline_s() const { return 0; }
  // Groups that it judges side by side; ScoreBatch called from more threads waits. 1: it computes
  // in the thread that calls, and nothing is gained by more.
  virtual int parallel() const { return 1; }

  // For the test of itself before training (reward/self_test.h):
  // True: a reward of at least 1 says that the answer is right, as that of `math` does. False: it
  // pays for something else, as `length` does.
  virtual bool judges_answers() const { return false; }
  // The right answer of a data line as it stands behind a thought: "\boxed{1/2}", "#### 42".
  // Nothing where the line does not have it, as one that has the tests of a program alone.
  virtual std::optional<std::string> GoldAnswer(const Json& /*columns*/) const {
    return std::nullopt;
  }
  // The completion around that answer, when completions must have a form for this verifier.
  // Nothing: they need none.
  virtual std::optional<std::string> InForm(std::string_view /*answer*/) const {
    return std::nullopt;
  }
};
using Verifiers = std::vector<std::shared_ptr<const Verifier>>;

// One [[reward]] table: which verifier, its weight, and its own keys as JSON.
struct RewardConfig {
  std::string verifier;
  double weight = 1;
  // What the verifier gives is clipped to [min, max] before it is gated and weighed.
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  // Gate: this verifier's reward counts only in samples where the verifier of this name gave more
  // than 0, before any clip.
  std::string gate;
  // What a sample gets that the verifier could not judge. kMask: no reward at all; it counts
  // neither in its group's mean nor in the loss. kStop: the run ends with an error.
  enum class OnError { kMask, kZero, kStop } on_error = OnError::kMask;
  // A right completion with {column}s in it, for the test of the verifier before training. Empty:
  // the verifier's own GoldAnswer.
  std::string gold_template = {};
  Json options = Json::object();
};

// Makes a verifier by its name in VerifierNames(). `seed` is the run's. Throws UsageError for an
// unknown name (with the nearest) or option, RunError where this machine or build cannot run the
// verifier.
std::unique_ptr<Verifier> MakeVerifier(const RewardConfig& config, uint64_t seed);
// The verifier of each table, in order.
Verifiers MakeVerifiers(const std::vector<RewardConfig>& rewards, uint64_t seed);
std::vector<std::string> VerifierNames();

// With paths that mean the same from any folder.
std::vector<RewardConfig> WithAbsolutePaths(std::vector<RewardConfig> rewards);

// Makes `column` the option answer_column of a verifier that has this option and was not given it.
void UseAnswerColumn(const std::string& column, RewardConfig* config);

}  // namespace hone
