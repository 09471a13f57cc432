#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <semaphore>
#include <thread>

#include "reward/code/code_block.h"
#include "reward/code/code_tests.h"
#include "reward/code/judge.h"
#include "reward/options.h"
#include "reward/sandbox/machine.h"
#include "reward/sandbox/process.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

using sandbox::RunEnd;
using sandbox::RunResult;
using std::chrono::steady_clock;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kOutputBytes = kMiB;  // and twice what is expected
constexpr uint64_t kMaxOutputBytes = 256 * kMiB;
constexpr int kMaxProcesses = 1024;
constexpr double kSlackSeconds = 30;  // to make a sandbox and to end it, on a busy machine

// g++ with templates of its own choice: generous, and bounded.
sandbox::Limits CompilerLimits() {
  sandbox::Limits limits;
  limits.cpu_ms = 30'000;
  limits.wall_ms = 60'000;
  limits.memory_bytes = 2048 * kMiB;
  limits.file_bytes = 128 * kMiB;
  limits.output_bytes = 64 * kMiB;
  return limits;
}

// Programs are judged beside the run's own work, whose threads take all cores.
int DefaultProcesses() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency() / 2), 2, kMaxProcesses);
}

Verdict TimeOut(const std::string& what) {
  return {.reward = 0, .error = "timeout: " + what, .cause = ErrorCause::kTimeout};
}

class CodeVerifier : public Verifier {
 public:
  explicit CodeVerifier(const Json& options) {
    OptionReader reader(name(), options);
    const std::string language = reader.OneOf("language", "auto", {"auto", "python", "cpp"});
    if (language != "auto") language_ = LanguageOfLabel(language);
    tests_column_ = reader.Text("tests_column", "tests");
    fraction_ = reader.OneOf("credit", "all", {"all", "fraction"}) == "fraction";
    timeout_s_ = reader.Number("timeout_s", 5, 0.1, 3600);
    total_timeout_s_ = reader.Number("total_timeout_s", 60, 0.1, 36000);
    memory_mib_ = static_cast<uint64_t>(reader.Integer("memory_mib", 512, 32, 1 << 20));
    processes_ =
        static_cast<int>(reader.Integer("processes", DefaultProcesses(), 1, kMaxProcesses));
    free_ = std::make_unique<Places>(processes_);
    reader.Finish();
    machine_ = sandbox::FindMachine();
    if (language_ != Language::kCpp && machine_.python.empty()) {
      throw RunError("code: expected Python at /usr/bin/python3, found none; install python3");
    }
    if (language_ == Language::kCpp && machine_.compiler.empty()) {
      throw RunError("code: expected a compiler at /usr/bin/g++, found none; install g++");
    }
  }
  std::string name() const override { return "code"; }
  bool judges_answers() const override { return true; }
  // Published sets have tests and, some of them, a program.
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    const auto solution = columns.find("solution");
    if (solution == columns.end() || !solution->is_string()) return std::nullopt;
    const auto& text = solution->get_ref<const std::string&>();
    if (text.find("```") != std::string::npos) return text;
    return fmt::format("```{}\n{}\n```", language_ == Language::kCpp ? "cpp" : "python", text);
  }

  // The compiler's time, the tests', and the last test's own.
  double deadline_s() const override {
    const auto longest = [](const sandbox::Limits& limits) {
      return static_cast<double>(limits.wall_ms) / 1000;
    };
    return longest(CompilerLimits()) + total_timeout_s_ + longest(ProgramLimits()) + kSlackSeconds;
  }
  int parallel() const override { return processes_; }

  std::vector<Verdict> ScoreBatch(std::span<const Sample> samples,
                                  ScoringWatch& watch) const override {
    watch.Wait();
    free_->acquire();
    const std::unique_ptr<Places, void (*)(Places*)> place(
        free_.get(), [](Places* places) { places->release(); });
    watch.GoOn();
    return Verifier::ScoreBatch(samples, watch);
  }

  Verdict Score(const Sample& sample) const override {
    std::string error;
    const auto tests = ReadCodeTests(sample.columns, tests_column_, &error);
    if (!tests) return {.reward = 0, .error = error};
    const auto block = ExtractCode(sample.completion, language_);
    if (!block) return {};
    try {
      if (tests->judged_count > 0) return ScoreCalls(*block, *tests);
      return ScoreStdio(*block, tests->stdio);
    } catch (const sandbox::ProcessError& failure) {
      return {.reward = 0, .error = failure.what(), .cause = ErrorCause::kMachine};
    }
  }

 private:
  using Places = std::counting_semaphore<kMaxProcesses>;

  sandbox::Limits ProgramLimits() const {
    sandbox::Limits limits;
    limits.cpu_ms = static_cast<uint64_t>(timeout_s_ * 1000);
    // A program that waits uses none. A machine that is busy is not to turn answers into time-outs.
    limits.wall_ms = 2 * limits.cpu_ms + 1'000;
    limits.memory_bytes = memory_mib_ * kMiB;
    return limits;
  }

  double Reward(size_t passed, size_t tests) const {
    if (fraction_) return static_cast<double>(passed) / static_cast<double>(tests);
    return passed == tests ? 1 : 0;
  }

  Verdict ScoreCalls(const CodeBlock& block, const CodeTests& tests) const {
    if (block.language != Language::kPython) {
      return {.reward = 0, .error = "tests: they call functions, which only Python's can be"};
    }
    const Judgement judgement = JudgeCalls(machine_, block.code, tests, ProgramLimits());
    if (!judgement.unusable.empty()) return {.reward = 0, .error = "tests: " + judgement.unusable};
    if (judgement.timed_out) return TimeOut(fmt::format("over {} s for the tests", timeout_s_));
    const auto passed = std::count(judgement.passed.begin(), judgement.passed.end(), true);
    return {.reward = Reward(static_cast<size_t>(passed), tests.judged_count), .error = {}};
  }

  // The compiler's run; its output is the program.
  RunResult Compile(std::string_view code) const {
    sandbox::Process process(
        machine_, {.argv = {machine_.compiler, "-x", "c++", "-std=gnu++17", "-O2", "-w", "-static",
                            "-o", sandbox::kCollectedPath, "/hone/main.cpp"},
                   .root = sandbox::Root::kCompiler,
                   .files = {{"main.cpp", code}},
                   .limits = CompilerLimits(),
                   .collect = true});
    process.Send("");
    return process.Receive();
  }

  Verdict ScoreStdio(const CodeBlock& block, const std::vector<StdioTest>& tests) const {
    if (block.language == Language::kPython) {
      return RunTests({.argv = {"/usr/bin/python3", "-s", "-B", "/hone/main.py"},
                       .root = sandbox::Root::kPython,
                       .files = {{"main.py", block.code}}},
                      tests);
    }
    if (machine_.compiler.empty()) {
      return {.reward = 0,
              .error = "expected a compiler at /usr/bin/g++, found none; install g++",
              .cause = ErrorCause::kMachine};
    }
    const RunResult compiled = Compile(block.code);
    if (compiled.end == RunEnd::kCpuTime || compiled.end == RunEnd::kWallTime) {
      return TimeOut("over the compiler's limit");
    }
    if (compiled.end != RunEnd::kExited || compiled.status != 0) return {};
    return RunTests({.argv = {"/hone/program"}, .files = {{"program", compiled.output}}}, tests);
  }

  // One sandbox for all tests, a process each. A test that leaves files takes the sandbox with it.
  Verdict RunTests(sandbox::Command command, const std::vector<StdioTest>& tests) const {
    command.limits = ProgramLimits();
    for (const StdioTest& test : tests) {
      command.largest_input = std::max<uint64_t>(command.largest_input, test.input.size());
      const uint64_t output = std::min(kOutputBytes + 2 * test.expected.size(), kMaxOutputBytes);
      command.limits.output_bytes = std::max(command.limits.output_bytes, output);
    }
    const auto deadline = steady_clock::now() +
                          std::chrono::milliseconds(static_cast<int64_t>(total_timeout_s_ * 1000));
    std::optional<sandbox::Process> process;
    size_t passed = 0;
    for (size_t i = 0; i < tests.size(); ++i) {
      if (steady_clock::now() > deadline) {
        return TimeOut(fmt::format("over {} s for the sample", total_timeout_s_));
      }
      if (!process) process.emplace(machine_, command);
      process->Send(tests[i].input);
      const RunResult run = process->Receive();
      if (run.left_files) process.reset();
      if (run.end == RunEnd::kNotStarted) {
        return {.reward = 0,
                .error = fmt::format("sandbox: test {} could not be started", i),
                .cause = ErrorCause::kMachine};
      }
      if (run.end == RunEnd::kCpuTime || run.end == RunEnd::kWallTime) {
        return TimeOut(fmt::format("over {} s in test {}", timeout_s_, i));
      }
      const bool right = run.end == RunEnd::kExited && run.status == 0 &&
                         SameOutput(run.output, tests[i].expected);
      if (right) ++passed;
      if (!right && !fraction_) break;
    }
    return {.reward = Reward(passed, tests.size()), .error = {}};
  }

  std::optional<Language> language_;
  std::string tests_column_;
  bool fraction_ = false;
  double timeout_s_ = 0, total_timeout_s_ = 0;
  uint64_t memory_mib_ = 0;
  int processes_ = 0;
  std::unique_ptr<Places> free_;  // a place for each group that is judged
  sandbox::Machine machine_;
};

}  // namespace

std::unique_ptr<Verifier> MakeCodeVerifier(const Json& options) {
  return std::make_unique<CodeVerifier>(options);
}

}  // namespace hone
