#include "reward/sandbox/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "reward/sandbox/bubblewrap.h"

namespace hone::sandbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kSourceFds = 128;         // sources lie from here on, above every place they go to
constexpr seconds kStartPatience{20};   // a machine under load, not a program
constexpr seconds kReportPatience{10};  // over the wall limit
constexpr milliseconds kEndPatience{2'000};

std::string Reason() { return std::strerror(errno); }

Descriptor Above(Descriptor source) {
  if (source.get() < 0) throw ProcessError("no file descriptor: " + Reason());
  if (source.get() >= kSourceFds) return source;
  Descriptor moved(fcntl(source.get(), F_DUPFD_CLOEXEC, kSourceFds));
  if (moved.get() < 0) throw ProcessError("no file descriptor: " + Reason());
  return moved;
}

Descriptor InMemory(std::string_view bytes) {
  Descriptor file = Above(Descriptor(memfd_create("hone_sandbox", MFD_CLOEXEC)));
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t put = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw ProcessError("no memory for a file: " + Reason());
    at += static_cast<size_t>(put);
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) throw ProcessError("no memory for a file: " + Reason());
  return file;
}

Descriptor Open(const std::string& path, int flags) {
  return Above(Descriptor(::open(path.c_str(), flags | O_CLOEXEC)));
}

struct Spawn {
  Spawn() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// descriptors[i] becomes i of the program; all else is closed on exec.
pid_t Start(const std::string& program, const std::vector<std::string>& arguments,
            const std::vector<Descriptor>& descriptors) {
  Spawn spawn;
  for (size_t i = 0; i < descriptors.size(); ++i) {
    posix_spawn_file_actions_adddup2(&spawn.actions, descriptors[i].get(), static_cast<int>(i));
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char* no_environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &spawn.actions, &spawn.attributes,
                                argv.data(), no_environment);
  if (error != 0) throw ProcessError(program + ": " + std::strerror(error));
  return pid;
}

}  // namespace

Process::Process(const Machine& machine, const Command& command) : limits_(command.limits) {
  int control[2], errors[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control) != 0) {
    throw ProcessError("no socket: " + Reason());
  }
  control_ = Descriptor(control[0]);
  Descriptor far_control(control[1]);
  if (::pipe2(errors, O_CLOEXEC | O_NONBLOCK) != 0) throw ProcessError("no pipe: " + Reason());
  errors_ = Descriptor(errors[0]);
  Descriptor far_errors(errors[1]);
  fcntl(far_control.get(), F_SETFL, 0);  // the supervisor waits in read and write

  std::vector<Descriptor> descriptors;
  const auto add = [&](Descriptor descriptor) {
    descriptors.push_back(Above(std::move(descriptor)));
    return static_cast<int>(descriptors.size()) - 1;
  };
  add(Open("/dev/null", O_RDONLY));
  add(Open("/dev/null", O_WRONLY));
  add(std::move(far_errors));
  add(std::move(far_control));
  BubblewrapInputs inputs;
  inputs.filter = add(InMemory(machine.filter));
  inputs.program = add(Open(machine.program, O_RDONLY));
  for (const File& file : command.files) inputs.files.push_back(add(InMemory(file.bytes)));
  Orders orders{.limits = command.limits, .talk_fd = -1, .collect = command.collect ? 1U : 0U};
  if (command.talk_read >= 0) {
    orders.talk_fd = add(Descriptor(fcntl(command.talk_read, F_DUPFD_CLOEXEC, kSourceFds)));
    add(Descriptor(fcntl(command.talk_write, F_DUPFD_CLOEXEC, kSourceFds)));
  }
  std::vector<std::string> arguments = {"launch", std::to_string(::getpid()),
                                        std::to_string(descriptors.size()), machine.bubblewrap};
  for (auto& argument : BubblewrapArguments(machine, command, inputs)) {
    arguments.push_back(std::move(argument));
  }
  pid_ = Start(machine.program, arguments, descriptors);
  try {
    WriteAll(&orders, sizeof orders, steady_clock::now() + kStartPatience);
  } catch (const ProcessError&) {
    // Dead already; AwaitHello says why.
  }
}

Process::~Process() {
  if (pid_ < 0) return;
  // Without its control the supervisor ends, and with the first process the kernel ends all others
  // of the namespace before bubblewrap is told.
  control_.Close();
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended = {pidfd.get(), POLLIN, 0};
  const auto deadline = steady_clock::now() + kEndPatience;
  bool gone = false;
  while (pidfd.get() >= 0 && !gone) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) break;
    gone = ::poll(&ended, 1, static_cast<int>(left.count())) > 0;
  }
  // bubblewrap's death is the death of its first process (--die-with-parent).
  if (!gone) ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool Process::Wait(short events, Time deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    pollfd wanted = {control_.get(), events, 0};
    const int ready = ::poll(&wanted, 1, std::max(0, static_cast<int>(left.count())));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw ProcessError("cannot wait: " + Reason());
  }
}

bool Process::ReadAll(void* data, size_t size, Time deadline) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    if (!Wait(POLLIN, deadline)) return false;
    const ssize_t got = ::recv(control_.get(), at, size, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) throw ProcessError("it ended before its program did");
    at += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

void Process::WriteAll(const void* data, size_t size, Time deadline) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    if (!Wait(POLLOUT, deadline)) throw ProcessError("it takes no input");
    const ssize_t put = ::send(control_.get(), at, size, MSG_NOSIGNAL);
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put <= 0) throw ProcessError("it ended before its program did");
    at += put;
    size -= static_cast<size_t>(put);
  }
}

void Process::FailToStart() {
  // What bubblewrap says comes before its end.
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  char text[4096];
  const ssize_t got = ::read(errors_.get(), text, sizeof text);
  std::string reason(text, got > 0 ? static_cast<size_t>(got) : 0);
  while (reason.ends_with('\n')) reason.pop_back();
  throw ProcessError("it did not start: " + (reason.empty() ? "no reason was given" : reason));
}

void Process::AwaitHello() {
  if (ready_) return;
  char hello = 0;
  try {
    if (!ReadAll(&hello, 1, steady_clock::now() + kStartPatience) || hello != kHello) FailToStart();
  } catch (const ProcessError&) {
    if (pid_ >= 0) {
      // Its socket is closed, so it is about to end; its last words are worth a moment.
      const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
      pollfd ended = {pidfd.get(), POLLIN, 0};
      ::poll(&ended, 1, static_cast<int>(kEndPatience.count()));
      FailToStart();
    }
    throw;
  }
  ready_ = true;
}

void Process::Send(std::string_view input) {
  AwaitHello();
  const auto deadline = steady_clock::now() + kStartPatience;
  const RunRequest request{.input_bytes = input.size()};
  WriteAll(&request, sizeof request, deadline);
  WriteAll(input.data(), input.size(), deadline);
}

RunResult Process::Receive() {
  const auto deadline = steady_clock::now() + milliseconds(limits_.wall_ms) + kReportPatience;
  RunResult run;
  RunReport report;
  if (ReadAll(&report, sizeof report, deadline)) {
    if (report.output_bytes > limits_.output_bytes) {
      throw ProcessError("its supervisor reports more output than it may take");
    }
    run.output.resize(static_cast<size_t>(report.output_bytes));
    if (ReadAll(run.output.data(), run.output.size(), deadline)) {
      run.end = report.end;
      run.status = report.status;
      run.cpu_s = static_cast<double>(report.cpu_us) * 1e-6;
      run.wall_s = static_cast<double>(report.wall_us) * 1e-6;
      run.left_files = report.left_files != 0;
      return run;
    }
  }
  run.output.clear();
  run.end = RunEnd::kWallTime;
  run.left_files = true;
  control_.Close();
  return run;
}

}  // namespace hone::sandbox
