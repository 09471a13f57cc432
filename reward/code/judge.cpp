#include "reward/code/judge.h"

#include <fcntl.h>

#include <algorithm>
#include <sstream>

#include "reward/sandbox/guest_scripts.h"
#include "reward/sandbox/process.h"

namespace hone {
namespace {

using sandbox::Descriptor;
using sandbox::ProcessError;
using sandbox::RunEnd;

constexpr uint64_t kJudgeCpuMs = 10'000;      // of the tests' own code
constexpr uint64_t kJudgePatienceMs = 5'000;  // over what the program may take
constexpr uint64_t kJudgeMemory = uint64_t{1} << 30;

sandbox::Command PythonCommand(const char* script, const char* text,
                               const sandbox::Limits& limits) {
  return {.argv = {"/usr/bin/python3", "-s", "-B", std::string("/hone/") + script},
          .root = sandbox::Root::kPython,
          .files = {{script, text}, {"wire.py", sandbox::k_wire_py}},
          .limits = limits};
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw ProcessError("no pipe");
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
  Descriptor read, write;
};

bool IsTimeOut(RunEnd end) { return end == RunEnd::kCpuTime || end == RunEnd::kWallTime; }

}  // namespace

Judgement JudgeCalls(const sandbox::Machine& machine, std::string_view program,
                     const CodeTests& tests, const sandbox::Limits& limits) {
  const std::string input = Dump(tests.judged);
  sandbox::Command agent = PythonCommand("agent.py", sandbox::k_agent_py, limits);
  agent.files.push_back({"solution.py", program});
  sandbox::Limits judge_limits;
  judge_limits.cpu_ms = kJudgeCpuMs;
  judge_limits.wall_ms = limits.wall_ms + kJudgePatienceMs;
  judge_limits.memory_bytes = kJudgeMemory;
  sandbox::Command judge = PythonCommand("judge.py", sandbox::k_judge_py, judge_limits);
  judge.largest_input = input.size();

  Pipe calls, answers;
  agent.talk_read = calls.read.get();
  agent.talk_write = answers.write.get();
  judge.talk_read = answers.read.get();
  judge.talk_write = calls.write.get();
  sandbox::Process agent_process(machine, agent), judge_process(machine, judge);
  // Held here, neither side would see the other's end.
  for (Descriptor* end : {&calls.read, &calls.write, &answers.read, &answers.write}) end->Close();
  agent_process.Send("");
  judge_process.Send(input);

  const sandbox::RunResult verdicts = judge_process.Receive();
  Judgement judgement;
  bool ended_early = false;
  std::istringstream lines(verdicts.output);
  std::string line;
  while (std::getline(lines, line) && line != "end") {
    judgement.passed.push_back(line == "pass");
    ended_early = ended_early || line == "closed";
    if (line.starts_with("unusable") && judgement.unusable.empty()) judgement.unusable = line;
  }
  if (verdicts.end == RunEnd::kNotStarted) throw ProcessError("the tests could not be started");
  if (IsTimeOut(verdicts.end)) {
    judgement.timed_out = true;
  } else if (line != "end" || judgement.passed.size() != tests.judged_count) {
    judgement.unusable = "the tests ended before they were through";
  } else if (ended_early) {
    // A program that ended before it answered may have been ended for its time.
    const sandbox::RunResult ended = agent_process.Receive();
    if (ended.end == RunEnd::kNotStarted) throw ProcessError("the program could not be started");
    judgement.timed_out = IsTimeOut(ended.end);
  }
  return judgement;
}

}  // namespace hone
