// TinyZero's Countdown: reach a target from some numbers by + - * /, each used exactly once.
// "nums: 3 7 25 target: 46\n" →
// "<think>(7-3)*25=4*25=100;25+7*3=25+21=46;</think><answer>25+7*3</answer>".
#pragma once

#include <memory>

#include "reward/tasks/task.h"

namespace hone {

// A thought tries expressions, each worked out one operation at a time; the last one reaches the
// target and is the answer. All values on the way are integers from 1 to 9999. Columns: prompt,
// nums, target. The data set of TinyZero has 3 and 4 numbers from 1 to 99 and targets from 10
// to 99. Options:
//   numbers = 3, max_number = 99, min_target = 10, max_target = 99
//   tries = 3            a demonstration shows from 0 to so many expressions that miss the target
std::unique_ptr<Task> MakeCountdownTask(const Json& options);

}  // namespace hone
