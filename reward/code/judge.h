// Tests that call functions: the tests run in one sandbox, the program in another, and between the
// two travel arguments and results as plain data. The program sees neither a test nor what is
// expected; what it says is a value and no verdict.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reward/code/code_tests.h"
#include "reward/sandbox/machine.h"
#include "reward/sandbox/protocol.h"

namespace hone {

struct Judgement {
  std::vector<bool> passed;  // a test each, when nothing below is set
  bool timed_out = false;    // the program, or a test on what it gave
  std::string unusable;      // why a test is none
};

// `limits` are the program's, for all tests together. Throws sandbox::ProcessError.
Judgement JudgeCalls(const sandbox::Machine& machine, std::string_view program,
                     const CodeTests& tests, const sandbox::Limits& limits);

}  // namespace hone
