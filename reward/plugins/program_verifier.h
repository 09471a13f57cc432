// A verifier that is a program: JSON Lines on its standard input, JSON Lines on its standard
// output.
//
// A line in: {"prompt", "completion", "columns": {…}, "group", "index", "options": {…}}. For each,
// in the same order, a line out: {"reward": number}, or {"error": text} when it cannot decide.
// Programs are kept alive; samples of a group come at once, and the next one's line may be there
// before this one is answered. Standard error is for people.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reward/verify.h"

namespace hone {

struct ProgramPlan {
  std::string name;               // of the verifier
  std::vector<std::string> argv;  // argv[0] is looked for on PATH
  Json options = Json::object();  // passed on with each line
  // Seconds for a line's answer, counted from the answer before it; a program that was just started
  // has start_timeout_s more for its first.
  double timeout_s = 10, start_timeout_s = 60;
  int processes = 2;  // at most, each for one group at a time
};

// Starts one process at once. A program that dies, does not answer in time or answers what is no
// answer is started again, and what it owed is asked once more, line by line: so the sample that is
// to blame is known, and no other gets an error. Throws RunError when the program cannot be
// started.
std::unique_ptr<Verifier> MakeProgramVerifier(ProgramPlan plan);

// The plan of a [[reward]] table whose verifier is the path of a program or of a shared library
// (.so; reward/verifier.h). Options: timeout_s, start_timeout_s, processes, args (of a
// program); all others are the verifier's own. A library is loaded once to see that it can be:
// throws UsageError when it has another ABI version, lacks the function, or refuses its options.
ProgramPlan PlanProgram(const RewardConfig& config);

}  // namespace hone
