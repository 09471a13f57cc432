#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "reward/sandbox/guest/guest.h"

namespace hone::sandbox {
namespace {

constexpr uid_t kNobody = 65534;

int Fail(const char* what) {
  std::fprintf(stderr, "hone_sandbox: %s: %s\n", what, std::strerror(errno));
  return 1;
}

// When memory runs out, the kernel is to take a sandbox before hone. Raising needs no privilege;
// where the file cannot be written, the kernel chooses by size as ever.
void VolunteerForTheOomKiller() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, "1000", 4);
  close(file);
}

// Root has no limit of processes, and owns the host's files: a sandbox never runs as it.
bool LeaveRoot() {
  if (geteuid() != 0 && getuid() != 0) return true;
  return setgroups(0, nullptr) == 0 && setresgid(kNobody, kNobody, kNobody) == 0 &&
         setresuid(kNobody, kNobody, kNobody) == 0 && setuid(0) != 0;
}

}  // namespace

int Launch(int count, char** arguments) {
  if (count < 3) return 2;
  // hone may have died between the start of this process and here; nobody would end the sandbox.
  if (getppid() != std::atoi(arguments[0])) return 1;
  if (close_range(static_cast<unsigned>(std::atoi(arguments[1])), ~0U, 0) != 0) {
    return Fail("cannot close inherited files");
  }
  setsid();  // a Ctrl-C at the terminal is for hone, which then ends its sandboxes
  VolunteerForTheOomKiller();
  const rlimit no_core = {0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) return Fail("cannot forbid core files");
  if (!LeaveRoot()) return Fail("cannot become the user nobody (65534)");
  umask(077);
  if (chdir("/") != 0) return Fail("cannot enter /");
  char* no_environment[] = {nullptr};
  execve(arguments[2], arguments + 2, no_environment);
  return Fail(arguments[2]);
}

}  // namespace hone::sandbox
