#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "reward/sandbox/guest/guest.h"
#include "reward/sandbox/protocol.h"

extern char** environ;

namespace hone::sandbox {
namespace {

void Expect(bool holds, const char* what) {
  if (!holds) std::printf("%s\n", what);
}

// The call failed for one of the reasons of a refusal, not because it was asked wrongly.
bool Refused(long result) {
  return result < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES);
}

void ProbeNetwork() {
  Expect(Refused(socket(AF_INET, SOCK_STREAM, 0)), "a TCP socket can be made");
  Expect(Refused(socket(AF_INET6, SOCK_DGRAM, 0)), "a UDP socket can be made");
  Expect(Refused(socket(AF_UNIX, SOCK_STREAM, 0)), "a Unix socket can be made");
  int pair[2];
  Expect(Refused(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)), "a datagram socket can be made");
}

bool Reachable(const char* path) {
  struct stat found = {};
  return stat(path, &found) == 0;
}

void ProbeFiles(int count, char** forbidden) {
  for (int i = 0; i < count; ++i) {
    if (Reachable(forbidden[i])) std::printf("%s can be reached\n", forbidden[i]);
  }
  // The allow-list at the root. What lies below /usr is the system's; the home is not.
  for (const char* path :
       {"/home", "/root", "/var", "/run", "/proc", "/sys", "/opt", "/mnt", "/media", "/srv",
        "/boot", "/etc/passwd", "/dev/mem", "/dev/shm", "/usr/local", "/usr/share", "/usr/src"}) {
    if (Reachable(path)) std::printf("%s can be reached\n", path);
  }
  for (const char* path : {"/file", "/hone/file", "/usr/file", "/dev/file"}) {
    Expect(open(path, O_CREAT | O_WRONLY, 0600) < 0, "a file outside of /tmp can be written");
  }
  Expect(open(kProgramPath, O_WRONLY) < 0, "the supervisor's program can be written");
  Expect(chmod(kProgramPath, 0777) < 0, "the supervisor's program can be changed");
  const int file = open("/tmp/probe", O_CREAT | O_RDWR | O_EXCL, 0600);
  Expect(file >= 0, "no file can be written in /tmp");
  close(file);
  unlink("/tmp/probe");
}

void ProbeProcesses() {
  Expect(getppid() == 1, "the supervisor is not the first process");
  for (pid_t pid = 2; pid < 1000; ++pid) {
    // Of this probe and the supervisor alone.
    if (pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM)) {
      std::printf("process %d of another can be seen\n", pid);
    }
  }
  kill(1, SIGKILL);  // which the kernel drops for the first process of a namespace
  char byte = 0;
  iovec here = {&byte, 1}, there = {&byte, 1};
  Expect(Refused(ptrace(PTRACE_ATTACH, 1, nullptr, nullptr)), "ptrace is allowed");
  Expect(Refused(process_vm_readv(1, &here, 1, &there, 1, 0)), "process_vm_readv is allowed");
  Expect(Refused(syscall(SYS_pidfd_getfd, 0, 0, 0)), "pidfd_getfd is allowed");
}

void ProbeKernel() {
  Expect(Refused(unshare(CLONE_NEWUSER)), "a user namespace can be made");
  Expect(Refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr)),
         "a user namespace can be cloned");
  Expect(syscall(SYS_clone3, nullptr, 0) < 0 && errno == ENOSYS, "clone3 is allowed");
  Expect(Refused(syscall(SYS_setns, 0, 0)), "setns is allowed");
  Expect(Refused(syscall(SYS_io_uring_setup, 1, nullptr)), "io_uring is allowed");
  Expect(Refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0)), "keyctl is allowed");
  Expect(Refused(syscall(SYS_bpf, 0, nullptr, 0)), "bpf is allowed");
  Expect(Refused(syscall(SYS_userfaultfd, 0)), "userfaultfd is allowed");
  Expect(Refused(syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0)), "perf events are allowed");
  Expect(Refused(syscall(SYS_memfd_create, "probe", 0)), "memory without a limit is allowed");
  Expect(Refused(mount("none", "/tmp", "tmpfs", 0, nullptr)), "mount is allowed");
  Expect(Refused(umount2("/tmp", MNT_DETACH)), "umount is allowed");
  Expect(Refused(chroot("/tmp")), "chroot is allowed");
  Expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "programs can gain privileges");
  Expect(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2, "no filter of system calls is in force");
  for (int capability = 0; capability < 64; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) {
      std::printf("capability %d can be had\n", capability);
    }
  }
}

void ProbeWhatIsInherited() {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const char* known[] = {"HOME=/tmp",        "PATH=/usr/bin:/bin", "PWD=",
                           "LANG=C.UTF-8",     "PYTHONHASHSEED=0",   "OPENBLAS_NUM_THREADS=1",
                           "OMP_NUM_THREADS=1"};
    bool expected = false;
    for (const char* text : known) {
      expected = expected || std::strncmp(*variable, text, std::strlen(text)) == 0;
    }
    Expect(expected, "an environment variable came in from outside");
  }
  for (int fd = 3; fd < 4096; ++fd) {
    Expect(fcntl(fd, F_GETFD) < 0, "a file descriptor came in from outside");
  }
  Expect(open("/dev/tty", O_RDWR) < 0, "there is a terminal");
}

void ProbeLimits(const Limits& limits) {
  void* memory = mmap(nullptr, limits.memory_bytes + 1, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  Expect(memory == MAP_FAILED, "memory is not limited");
  struct statvfs tmp = {};
  // The input of a run may add to it, and a page for each of the two.
  Expect(statvfs("/tmp", &tmp) == 0 && tmp.f_blocks > 0 &&
             tmp.f_blocks * tmp.f_frsize <= limits.file_bytes + 8192,
         "/tmp is not limited");
  const int file = open("/tmp/probe", O_CREAT | O_RDWR | O_EXCL, 0600);
  signal(SIGXFSZ, SIG_IGN);
  Expect(ftruncate(file, static_cast<off_t>(limits.file_bytes) + 1) != 0, "files are not limited");
  close(file);
  unlink("/tmp/probe");
  uint32_t children = 0;
  while (children <= limits.processes) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      pause();
      _exit(0);
    }
    ++children;
  }
  Expect(children > 0, "no process can be started");
  Expect(children < limits.processes, "processes are not limited");
  // The children are the supervisor's to end.
}

}  // namespace

int Probe(int count, char** forbidden) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // a forked child must not print again
  const Limits limits;
  ProbeNetwork();
  ProbeFiles(count, forbidden);
  ProbeProcesses();
  ProbeKernel();
  ProbeWhatIsInherited();
  ProbeLimits(limits);
  return 0;
}

int Spin() {
  for (volatile unsigned turns = 0;;) turns = turns + 1;
}

}  // namespace hone::sandbox
