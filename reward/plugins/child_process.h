// A program that is spoken to in lines, over its standard input and output.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// Thread contract: one caller at a time.
class ChildProcess {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Answer { kLine, kEnd, kTimeout, kTooLong };

  // Starts argv[0], looked for on PATH, in a session of its own: a Ctrl-C is hone's to handle. Its
  // standard error is ours. Throws RunError when it cannot be started.
  explicit ChildProcess(const std::vector<std::string>& argv);
  // Ends it and all that it started in its session's first process group, and waits for it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Queues text. Exchange sends it, so that neither side waits for the other with full pipes.
  void Queue(std::string_view text) { unsent_ += text; }
  // Sends what is queued, and waits for the next line, given without its end.
  Answer ReadLine(std::string* line, Time deadline);
  // How it ended, for an error: "exit code 1", "signal 11 (Segmentation fault)". Ends it if it has
  // not ended.
  std::string Ending();

 private:
  bool TakeLine(std::string* line);
  void SendSome();
  bool ReceiveSome();  // false at the end
  void Kill();

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
  std::string unsent_, received_;
  size_t searched_ = 0;  // of received_: no line ends before here
  int status_ = 0;
};

}  // namespace hone
