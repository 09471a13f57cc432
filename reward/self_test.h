// A verifier proves itself before training: it must accept the right answers of the run's own data,
// and refuse what policies try instead of answering (reward/attacks.h). One that does not earns
// nothing, or is earned from, for as long as nobody looks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/config.h"
#include "reward/scorer.h"
#include "rollout/prompts.h"

namespace hone {

// A completion that a verifier judged as it should not have.
struct SelfTestCase {
  std::string place;   // of the row: "train.jsonl: line 7"
  std::string attack;  // its name; of a right answer empty
  std::string completion;
  std::string said;  // what was extracted, how it was compared and why; or the error
};

struct SelfTestTally {
  int64_t asked = 0, accepted = 0, refused = 0;  // accepted: a reward of at least 1, as in `eval`
  std::map<std::string, int64_t> errors;         // by cause: neither of the two
  std::vector<SelfTestCase> wrong;               // the first few
};

struct SelfTestResult {
  std::string verifier;  // as metrics call it
  std::string untested;  // why it was not tested; empty: it was
  SelfTestTally gold, attacks;
  int64_t without_gold = 0;  // rows whose right answer is not known
  int64_t not_reached =
      0;  // rows that a verifier with processes was not asked about for want of time
  // Right answers that it accepts only in another form than the run's `format` demands.
  int64_t out_of_form = 0;
};

// Tests every verifier that judges answers (Verifier::judges_answers, or RewardConfig::
// gold_template) on section.rows rows, drawn by the seed; on attacks, and with verifiers that start
// processes, on fewer. The right answer is the row's gold_template or the verifier's GoldAnswer
// behind a thought; in the form of the run's `format`, when there is one, which it must have when
// that one is its gate. Other gates are left open. Throws what verifiers throw.
std::vector<SelfTestResult> TestVerifiers(const Scorer& scorer, const PromptSet& prompts,
                                          const SelfTestSection& section, uint64_t seed,
                                          int threads);

}  // namespace hone
