// Addition, worked digit by digit in the thought: "347+586=" →
// "<think>7+6+0=13;4+8+1=13;3+5+1=09;</think><answer>933</answer>".
#pragma once

#include <memory>

#include "reward/tasks/task.h"

namespace hone {

// A step of the thought, from the units up, reads digit+digit+carry=sum; its sum has two digits, of
// which the first is the next carry. Columns: prompt, answer (text). Options:
//   digits = 3           of each operand, which is uniform among the numbers of so many digits
//   terms = 2            operands
//   carry_error = 0.6    how likely a demonstration forgets a carry: it writes 0 in its place and
//   goes
//                        on from there, so that the answer follows from the wrong thought
std::unique_ptr<Task> MakeArithmeticTask(const Json& options);

}  // namespace hone
