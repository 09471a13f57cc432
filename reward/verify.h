// A verifier: a rule that scores a completion.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/json.h"

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
};

// Thread contract: Score may be called from several threads at once.
class Verifier {
 public:
  virtual ~Verifier() = default;
  virtual std::string name() const = 0;
  virtual Verdict Score(const Sample& sample) const = 0;
  // Many at once, in order: for verifiers that gain by it.
  virtual std::vector<Verdict> ScoreBatch(std::span<const Sample> samples) const {
    std::vector<Verdict> verdicts;
    for (const Sample& sample : samples) verdicts.push_back(Score(sample));
    return verdicts;
  }
};

// One [[reward]] table: which verifier, its weight, and its own keys as JSON.
struct RewardConfig {
  std::string verifier;
  double weight = 1;
  // Gate: this verifier's reward counts only in samples where the verifier of this name gave more
  // than 0.
  std::string gate;
  // What a sample gets that the verifier could not judge. kMask: no reward at all; it counts
  // neither in its group's mean nor in the loss. kStop: the run ends with an error.
  enum class OnError { kMask, kZero, kStop } on_error = OnError::kMask;
  Json options = Json::object();
};

// Makes a verifier by its name in VerifierNames(). `seed` is the run's. Throws UsageError for an
// unknown name (with the nearest) or option, RunError where this machine or build cannot run the
// verifier.
std::unique_ptr<Verifier> MakeVerifier(const RewardConfig& config, uint64_t seed);
std::vector<std::string> VerifierNames();

// With paths that mean the same from any folder.
std::vector<RewardConfig> WithAbsolutePaths(std::vector<RewardConfig> rewards);

// Makes `column` the option answer_column of a verifier that has this option and was not given it.
void UseAnswerColumn(const std::string& column, RewardConfig* config);

}  // namespace hone
