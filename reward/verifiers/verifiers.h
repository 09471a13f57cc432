// The built-in verifiers. Each reads its own options strictly (UsageError) and judges text that
// nobody vouches for in bounded time and memory.
#pragma once

#include <cstdint>
#include <memory>

#include "reward/verify.h"

namespace hone {

// 1 when the completion is its tagged parts in order, each tag once, white space and nothing else
// around them; by default DeepSeek-R1's <think>…</think><answer>…</answer>. Else 0. Options: tags =
// "think,answer"; think_in_prompt = false: the prompt ends with the first open tag, and the
// completion goes on from there.
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

// 1 when the answer is worth that of a column, as mathematics: LaTeX or plain; numbers,
// expressions, intervals, sets, tuples, matrices, equations, inequalities, words and choices
// (docs/verifiers.md; the rules stand in verifiers/math.cpp). Else 0. Options: answer_column =
// "answer", think_in_prompt = false, extract = "answer" (or "none": all behind the thought),
// decimals = 6 (from how many on a decimal stands for a value that was rounded to it), units =
// true.
std::unique_ptr<Verifier> MakeMathVerifier(const Json& options);

// The others; rules and sources stand at the head of each file. Options beside answer_column,
// extract and think_in_prompt where there is an answer: gsm8k: match = "strict" (or "flexible").
std::unique_ptr<Verifier> MakeGsm8kVerifier(const Json& options);
// multiple_choice: choices_column = "choices", letters = 10.
std::unique_ptr<Verifier> MakeMultipleChoiceVerifier(const Json& options);
// regex: pattern, or pattern_column = "pattern"; full = true.
std::unique_ptr<Verifier> MakeRegexVerifier(const Json& options);
// json_schema: schema, or schema_column = "schema".
std::unique_ptr<Verifier> MakeJsonSchemaVerifier(const Json& options);
// length: shape = "overlong" (max_length = 20480, buffer = 4096), "target" (target = 1024,
// tolerance = 1024) or "cosine" (max_length, correct = "math", correct_options, correct_short = 2,
// correct_long = 1, wrong_short = -10, wrong_long = 0, exceeded = -10); unit = "tokens" (or
// "characters").
std::unique_ptr<Verifier> MakeLengthVerifier(const Json& options, uint64_t seed);
// repetition: ngram = 3, max_penalty = -1.
std::unique_ptr<Verifier> MakeRepetitionVerifier(const Json& options);
// language: language = "en", part = "all" (or "thought").
std::unique_ptr<Verifier> MakeLanguageVerifier(const Json& options);

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
