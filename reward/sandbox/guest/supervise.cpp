#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "reward/sandbox/guest/guest.h"
#include "reward/sandbox/protocol.h"

namespace hone::sandbox {
namespace {

constexpr int kOwnFds = 100;  // the supervisor's descriptors lie from here on, all close-on-exec
constexpr int kTickMs = 10;   // how often clocks and files are looked at
constexpr rlim_t kStackBytes = 64 << 20;
constexpr rlim_t kOpenFiles = 64;
constexpr const char* kTmp = "/tmp";
constexpr const char* kInputPath = "/tmp/.input";

struct Channel {
  int control = -1;
  int talk[2] = {-1, -1};
};

// Grows to what is needed; never over the limit that the caller keeps.
struct Bytes {
  char* data = nullptr;
  size_t size = 0, capacity = 0;
};

bool Reserve(Bytes* bytes, size_t capacity) {
  if (capacity <= bytes->capacity) return true;
  const size_t doubled = bytes->capacity * 2;
  const size_t wanted = doubled > capacity ? doubled : capacity;
  auto* data = static_cast<char*>(std::realloc(bytes->data, wanted));
  if (data == nullptr) return false;
  bytes->data = data;
  bytes->capacity = wanted;
  return true;
}

bool ReadAll(int fd, void* data, size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t got = read(fd, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const void* data, size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t put = write(fd, at, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

uint64_t Microseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(time.tv_nsec) / 1000;
}

uint64_t Now() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Microseconds(time);
}

// The standard input of a run: a file, as solutions written for judges expect (they ask for its
// size), that has no name any more and can only be read. -1 when /tmp has no room.
int InputFile(int control, uint64_t size) {
  const int out = open(kInputPath, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400);
  const int in = out < 0 ? -1 : open(kInputPath, O_RDONLY | O_CLOEXEC);
  unlink(kInputPath);
  bool whole = in >= 0;
  char chunk[1 << 16];
  // What hone sends is taken from the stream even if it cannot be kept.
  for (uint64_t left = size; left > 0;) {
    const size_t part = left < sizeof chunk ? static_cast<size_t>(left) : sizeof chunk;
    if (!ReadAll(control, chunk, part)) _exit(1);
    whole = whole && WriteAll(out, chunk, part);
    left -= part;
  }
  if (out >= 0) close(out);
  if (!whole && in >= 0) close(in);
  return whole ? in : -1;
}

bool Limit(int resource, rlim_t value) {
  const rlimit limit = {value, value};
  return setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
}

bool LimitProgram(const Limits& limits) {
  // A second more than the supervisor's own clock allows: this one also holds for each descendant.
  return Limit(RLIMIT_CPU, limits.cpu_ms / 1000 + 2) && Limit(RLIMIT_AS, limits.memory_bytes) &&
         Limit(RLIMIT_FSIZE, limits.file_bytes) && Limit(RLIMIT_NPROC, limits.processes + 1) &&
         Limit(RLIMIT_NOFILE, kOpenFiles) && Limit(RLIMIT_STACK, kStackBytes) &&
         Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_MEMLOCK, 0) && Limit(RLIMIT_MSGQUEUE, 0);
}

// Between fork and exec. The supervisor has one thread, so any call is safe here.
[[noreturn]] void BecomeProgram(const Limits& limits, const Channel& channel, int in, int out,
                                char** program) {
  setsid();
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  bool ready = null >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(null, 2) == 2;
  unsigned first_closed = 3;
  if (channel.talk[0] >= 0) {
    ready = ready && dup2(channel.talk[0], kTalkReadFd) == kTalkReadFd &&
            dup2(channel.talk[1], kTalkWriteFd) == kTalkWriteFd;
    first_closed = kTalkWriteFd + 1;
  }
  signal(SIGPIPE, SIG_DFL);
  ready = ready && close_range(first_closed, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && chdir(kTmp) == 0 &&
          LimitProgram(limits);
  if (ready) execv(program[0], program);
  _exit(127);
}

// Every process of the namespace but this one, and every zombie.
void EndAllOthers() {
  kill(-1, SIGKILL);
  for (;;) {
    const pid_t ended = waitpid(-1, nullptr, __WALL);
    if (ended < 0 && errno != EINTR) return;
  }
}

enum class Taken { kSome, kNothing, kEnd, kTooMuch };

Taken TakeOutput(int out, uint64_t limit, Bytes* bytes) {
  constexpr size_t kPart = 1 << 16;
  if (!Reserve(bytes, bytes->size + kPart)) return Taken::kTooMuch;
  const ssize_t got = read(out, bytes->data + bytes->size, kPart);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Taken::kNothing : Taken::kEnd;
  if (got == 0) return Taken::kEnd;
  bytes->size += static_cast<size_t>(got);
  if (bytes->size <= limit) return Taken::kSome;
  bytes->size = static_cast<size_t>(limit);
  return Taken::kTooMuch;
}

bool TooManyFiles(const Limits& limits) {
  struct statvfs tmp = {};
  return statvfs(kTmp, &tmp) == 0 && tmp.f_files - tmp.f_ffree > limits.files;
}

// Reads output and watches limits until the program's own process ends or a limit is reached.
// Returns true when it ended by itself.
bool Watch(const Limits& limits, int control, pid_t child, int pidfd, int out, uint64_t begin,
           Bytes* bytes, RunReport* report) {
  clockid_t cpu_clock = 0;
  const bool has_clock = clock_getcpuclockid(child, &cpu_clock) == 0;
  bool open = true;
  for (;;) {
    pollfd events[3] = {{pidfd, POLLIN, 0}, {control, POLLRDHUP, 0}, {open ? out : -1, POLLIN, 0}};
    if (poll(events, 3, kTickMs) < 0 && errno != EINTR) _exit(1);
    if (events[1].revents != 0) _exit(0);  // hone is gone, and with this process the sandbox
    if (events[2].revents != 0) {
      const Taken taken = TakeOutput(out, limits.output_bytes, bytes);
      open = taken != Taken::kEnd;
      if (taken == Taken::kTooMuch) {
        report->end = RunEnd::kOutput;
        return false;
      }
    }
    if (events[0].revents != 0) return true;
    timespec cpu = {};
    if (has_clock && clock_gettime(cpu_clock, &cpu) == 0 &&
        Microseconds(cpu) > limits.cpu_ms * 1000) {
      report->end = RunEnd::kCpuTime;
      return false;
    }
    if (Now() - begin > limits.wall_ms * 1000) {
      report->end = RunEnd::kWallTime;
      return false;
    }
    if (TooManyFiles(limits)) {
      report->end = RunEnd::kFiles;
      return false;
    }
  }
}

void DescribeEnd(const Limits& limits, bool by_itself, int status, const rusage& usage,
                 RunReport* report) {
  const timeval& user = usage.ru_utime;
  const timeval& system = usage.ru_stime;
  report->cpu_us = static_cast<uint64_t>(user.tv_sec + system.tv_sec) * 1'000'000 +
                   static_cast<uint64_t>(user.tv_usec + system.tv_usec);
  if (!by_itself) return;
  if (WIFSIGNALED(status)) {
    report->end = RunEnd::kSignalled;
    report->status = WTERMSIG(status);
    if (report->status == SIGXCPU) report->end = RunEnd::kCpuTime;
  } else {
    report->end = RunEnd::kExited;
    report->status = WEXITSTATUS(status);
  }
  // Ended between two looks at the clock: the same program is to get the same verdict.
  if (report->cpu_us > limits.cpu_ms * 1000) report->end = RunEnd::kCpuTime;
}

// True when the folder holds nothing.
bool IsEmpty(const char* path) {
  DIR* folder = opendir(path);
  if (folder == nullptr) return false;
  bool empty = true;
  while (const dirent* entry = readdir(folder)) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
      empty = false;
      break;
    }
  }
  closedir(folder);
  return empty;
}

// The file that a run left, in place of its output. Nobody else is alive to change it.
void Collect(const Limits& limits, Bytes* bytes) {
  bytes->size = 0;
  const int file = open(kCollectedPath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return;
  while (TakeOutput(file, limits.output_bytes, bytes) == Taken::kSome) {
  }
  close(file);
}

RunReport RunOnce(const Orders& orders, Channel* channel, char** program, uint64_t input_bytes,
                  Bytes* bytes) {
  RunReport report;
  bytes->size = 0;
  const int in = InputFile(channel->control, input_bytes);
  int out[2] = {-1, -1};
  if (in < 0 || pipe2(out, O_CLOEXEC) != 0) {
    report.status = errno;
    return report;
  }
  const uint64_t begin = Now();
  const pid_t child = fork();
  if (child == 0) BecomeProgram(orders.limits, *channel, in, out[1], program);
  close(in);
  close(out[1]);
  for (int& end : channel->talk) {  // held here, the other side would never see the end
    if (end >= 0) close(end);
    end = -1;
  }
  const int pidfd = child < 0 ? -1 : static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (pidfd < 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) != 0) {
    report.status = errno;
    EndAllOthers();
  } else {
    const bool by_itself =
        Watch(orders.limits, channel->control, child, pidfd, out[0], begin, bytes, &report);
    report.wall_us = Now() - begin;
    kill(child, SIGKILL);
    int status = 0;
    rusage usage = {};
    while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    // Whoever else holds the pipe is dead before its rest is read: the end is there for sure.
    EndAllOthers();
    DescribeEnd(orders.limits, by_itself, status, usage, &report);
    Taken taken = Taken::kSome;
    while (taken == Taken::kSome) taken = TakeOutput(out[0], orders.limits.output_bytes, bytes);
    if (taken == Taken::kTooMuch && by_itself) report.end = RunEnd::kOutput;
  }
  close(out[0]);
  if (pidfd >= 0) close(pidfd);
  if (orders.collect != 0) Collect(orders.limits, bytes);
  report.left_files = IsEmpty(kTmp) ? 0 : 1;
  report.output_bytes = bytes->size;
  return report;
}

bool TakeOwnFds(Channel* channel, Orders* orders) {
  channel->control = fcntl(kControlFd, F_DUPFD_CLOEXEC, kOwnFds);
  if (channel->control < 0 || !ReadAll(channel->control, orders, sizeof *orders)) return false;
  for (int i = 0; i < 2 && orders->talk_fd >= 0; ++i) {
    channel->talk[i] = fcntl(orders->talk_fd + i, F_DUPFD_CLOEXEC, kOwnFds);
    if (channel->talk[i] < 0) return false;
  }
  return close_range(3, kOwnFds - 1, 0) == 0;
}

}  // namespace

int Supervise(int count, char** arguments) {
  // Elsewhere than at the head of a namespace, ending "all others" would end the user's processes.
  if (count < 1 || getpid() != 1) {
    std::fprintf(stderr, "hone_sandbox: expected to be the first process of a sandbox\n");
    return 1;
  }
  // Same user as the programs: neither memory nor descriptors of this process may be opened.
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return 1;
  signal(SIGPIPE, SIG_IGN);
  Channel channel;
  Orders orders;
  if (!TakeOwnFds(&channel, &orders) || !WriteAll(channel.control, &kHello, 1)) return 1;
  dup2(1, 2);  // standard error was bubblewrap's, for its errors
  Bytes bytes;
  RunRequest request;
  while (ReadAll(channel.control, &request, sizeof request)) {
    const RunReport report = RunOnce(orders, &channel, arguments, request.input_bytes, &bytes);
    if (!WriteAll(channel.control, &report, sizeof report) ||
        !WriteAll(channel.control, bytes.data, bytes.size)) {
      return 1;
    }
    if (report.left_files != 0) return 0;
  }
  return 0;
}

}  // namespace hone::sandbox
