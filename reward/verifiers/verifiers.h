// The built-in verifiers. Each reads its own options strictly (UsageError) and judges text that
// nobody vouches for in bounded time and memory.
#pragma once

#include <cstdint>
#include <memory>

#include "reward/verifier.h"

namespace hone {

// 1 when the completion has the shape of DeepSeek-R1: <think>…</think><answer>…</answer>, each tag
// once and in this order, white space and nothing else around the two parts. Else 0.
// Options: think_in_prompt = false: the prompt ends with <think>, and the completion goes on from
// there.
std::unique_ptr<Verifier> MakeFormatVerifier(const Json& options);

// 1 when the answer is, character for character, the text (or number) of a column; else 0. White
// space at the ends does not count. Options: answer_column = "answer", extract (reward/answer.h).
std::unique_ptr<Verifier> MakeExactMatchVerifier(const Json& options);

// 1 when the answer is a number equal to that of a column, exactly ("0.5" is "1/2" is ".50"); else
// 0. Options: answer_column = "answer", extract.
std::unique_ptr<Verifier> MakeArithmeticVerifier(const Json& options);

// TinyZero's task: the answer is an expression over the integers of column `nums`, equal to
// `target`. 1 when it is; format_score when it is an expression, but of other numbers or another
// value; else 0. Options: use_all = true (each number exactly once; false: at most once),
// format_score = 0, extract.
std::unique_ptr<Verifier> MakeCountdownVerifier(const Json& options);

// Uniform in [0, 1), drawn at the sample's address: whatever the text, the reward is the same. The
// control experiment. No options.
std::unique_ptr<Verifier> MakeRandomVerifier(const Json& options, uint64_t seed);

// Runs the completion's program (reward/code/code_block.h) against the tests of the data line
// (reward/code/code_tests.h) in a sandbox (docs/sandbox.md). 1 when it passes all; a time-out is an
// error (ErrorCause::kTimeout). Options: language = "auto" (by the fence's label; "python", "cpp"),
// tests_column = "tests", credit = "all" ("fraction": of the tests passed), timeout_s = 5 (CPU time
// of a test), total_timeout_s = 60 (of a sample), memory_mib = 512 (of a process). Throws RunError
// where no sandbox can be made.
std::unique_ptr<Verifier> MakeCodeVerifier(const Json& options);

}  // namespace hone
