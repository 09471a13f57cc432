#include "reward/plugins/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/error.h"

namespace hone {
namespace {

constexpr size_t kLongestLine = size_t{16} << 20;

int MillisecondsUntil(ChildProcess::Time deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT32_MAX));
}

// The attributes of posix_spawn, which can only fail for want of memory.
class SpawnPlan {
 public:
  SpawnPlan(int in, int out) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t none, defaults;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) sigaddset(&defaults, signal);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int Run(const std::vector<std::string>& argv, pid_t* pid) const {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    return posix_spawnp(pid, words[0], &actions_, &attributes_, words.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

// Its input is a socket, since a write into one whose reader is gone can be told to raise no
// signal.
ChildProcess::ChildProcess(const std::vector<std::string>& argv) {
  int in[2], out[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0) {
    throw RunError(fmt::format("{}: cannot make a socket: {}", argv[0], std::strerror(errno)));
  }
  if (pipe2(out, O_CLOEXEC) != 0) {
    const int error = errno;
    close(in[0]);
    close(in[1]);
    throw RunError(fmt::format("{}: cannot make a pipe: {}", argv[0], std::strerror(error)));
  }
  const int error = SpawnPlan(in[1], out[1]).Run(argv, &pid_);
  close(in[1]);
  close(out[1]);
  in_ = in[0];
  out_ = out[0];
  fcntl(in_, F_SETFL, O_NONBLOCK);
  fcntl(out_, F_SETFL, O_NONBLOCK);
  if (error != 0) {
    close(in_);
    close(out_);
    throw RunError(fmt::format("{}: cannot be started: {}", argv[0], std::strerror(error)));
  }
}

ChildProcess::~ChildProcess() {
  Kill();
  close(in_);
  close(out_);
}

bool ChildProcess::TakeLine(std::string* line) {
  const size_t end = received_.find('\n', searched_);
  searched_ = received_.size();
  if (end == std::string::npos) return false;
  line->assign(received_, 0, end);
  received_.erase(0, end + 1);
  searched_ = 0;
  return true;
}

void ChildProcess::SendSome() {
  const ssize_t sent = send(in_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent > 0) {
    unsent_.erase(0, static_cast<size_t>(sent));
  } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    unsent_.clear();  // nobody reads; what it still says, or its end, comes on the other side
  }
}

bool ChildProcess::ReceiveSome() {
  char bytes[1 << 16];
  const ssize_t size = read(out_, bytes, sizeof(bytes));
  if (size > 0) received_.append(bytes, static_cast<size_t>(size));
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

ChildProcess::Answer ChildProcess::ReadLine(std::string* line, Time deadline) {
  while (!TakeLine(line)) {
    if (received_.size() > kLongestLine) return Answer::kTooLong;
    pollfd waits[2] = {{out_, POLLIN, 0}, {in_, POLLOUT, 0}};
    const int count = poll(waits, unsent_.empty() ? 1 : 2, MillisecondsUntil(deadline));
    if (count == 0) return Answer::kTimeout;
    if (count < 0) continue;  // EINTR
    if (!unsent_.empty() && waits[1].revents != 0) SendSome();
    if (waits[0].revents != 0 && !ReceiveSome()) return Answer::kEnd;
    if (std::chrono::steady_clock::now() >= deadline) return Answer::kTimeout;
  }
  return Answer::kLine;
}

void ChildProcess::Kill() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::string ChildProcess::Ending() {
  // Its output has ended, so it is ending; give it a moment to say how.
  for (int i = 0; i < 50 && pid_ >= 0; ++i) {
    siginfo_t info = {};
    if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) break;
    if (info.si_pid != 0) break;
    usleep(2000);
  }
  Kill();
  if (WIFSIGNALED(status_)) {
    return fmt::format("signal {} ({})", WTERMSIG(status_), strsignal(WTERMSIG(status_)));
  }
  return fmt::format("exit code {}", WEXITSTATUS(status_));
}

}  // namespace hone
