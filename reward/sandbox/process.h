// One sandbox: a bubblewrap with its supervisor inside, which runs one program as often as asked.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "reward/sandbox/descriptor.h"
#include "reward/sandbox/machine.h"
#include "reward/sandbox/protocol.h"

namespace hone::sandbox {

// The machine could not make or keep a sandbox; says nothing of the program in it.
struct ProcessError : RunError {
  explicit ProcessError(const std::string& message) : RunError("sandbox: " + message) {}
};

// What of the machine a program sees, read-only (bubblewrap.h); besides, /dev/null, zero, full,
// random and urandom, its own files under /hone, and an empty /tmp of its own.
enum class Root { kNothing, kPython, kCompiler };

struct File {
  std::string name;  // under /hone
  std::string_view bytes;
};

struct Command {
  std::vector<std::string> argv;
  Root root = Root::kNothing;
  std::vector<File> files = {};  // read-only and executable
  Limits limits = {};
  bool collect = false;                 // the output is the file at kCollectedPath
  uint64_t largest_input = 0;           // bytes; room for it is added to /tmp
  int talk_read = -1, talk_write = -1;  // descriptors of the first run, at kTalkReadFd and on
};

struct RunResult {
  RunEnd end = RunEnd::kNotStarted;
  int status = 0;
  double cpu_s = 0, wall_s = 0;
  std::string output;
  bool left_files = false;  // the process is at its end: another run needs a new one
};

// Thread contract: one caller at a time; any number of processes side by side.
class Process {
 public:
  // Starts it and does not wait. Throws ProcessError. Views in `command` are used here only.
  Process(const Machine& machine, const Command& command);
  // Ends everything in the sandbox, whatever it does, and waits until it is gone.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Starts a run with this standard input. Throws ProcessError.
  void Send(std::string_view input);
  // Waits for its end. The limits see to it that it comes; should the supervisor itself be held up,
  // the run ends as kWallTime some seconds later. Throws ProcessError.
  RunResult Receive();

 private:
  using Time = std::chrono::steady_clock::time_point;

  bool Wait(short events, Time deadline);  // false: not until then
  bool ReadAll(void* data, size_t size, Time deadline);
  void WriteAll(const void* data, size_t size, Time deadline);
  void AwaitHello();
  [[noreturn]] void FailToStart();

  Limits limits_;
  Descriptor control_, errors_;
  pid_t pid_ = -1;  // bubblewrap's, outside
  bool ready_ = false;
};

}  // namespace hone::sandbox
