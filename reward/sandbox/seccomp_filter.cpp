#include "reward/sandbox/seccomp_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <unordered_set>

#include "common/error.h"
#include "reward/sandbox/descriptor.h"

namespace hone::sandbox {
namespace {

const std::unordered_set<std::string_view> kDenied = {
    // network; socketpair has a rule of its own
    "socket", "socketcall", "connect", "bind", "listen", "accept", "accept4",
    // namespaces, mounts and roots
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "open_tree",
    "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "name_to_handle_at",
    "open_by_handle_at", "quotactl", "quotactl_fd", "swapon", "swapoff", "acct", "sysfs", "ustat",
    "nfsservctl", "uselib", "fanotify_init", "fanotify_mark", "inotify_init", "inotify_init1",
    "inotify_add_watch",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "kcmp", "pidfd_getfd", "migrate_pages", "move_pages",
    // keys
    "keyctl", "add_key", "request_key",
    // the kernel's own
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents",
    "io_pgetevents", "init_module", "finit_module", "delete_module", "create_module",
    "query_module", "get_kernel_syms", "kexec_load", "kexec_file_load", "reboot", "syslog",
    "_sysctl", "lookup_dcookie", "vhangup", "iopl", "ioperm", "modify_ldt", "vm86", "vm86old",
    "personality", "seccomp", "settimeofday", "stime", "clock_settime", "clock_settime64",
    "clock_adjtime", "clock_adjtime64", "adjtimex", "sethostname", "setdomainname", "set_mempolicy",
    "mbind", "vmsplice", "splice", "tee",
    // memory that no limit counts
    "memfd_create", "memfd_secret", "shmget", "shmat", "shmctl", "shmdt", "msgget", "msgsnd",
    "msgrcv", "msgctl", "semget", "semop", "semctl", "semtimedop", "mq_open", "mq_unlink",
    "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr", "remap_file_pages"};

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr int kCallNumbers = 1024;  // more than any kernel has
constexpr uint64_t kSocketTypeBits = 0xf;

void Check(int result, const char* what) {
  if (result < 0) {
    throw RunError(std::string("sandbox: libseccomp cannot ") + what + ": " +
                   std::strerror(-result));
  }
}

void AddRule(scmp_filter_ctx filter, std::string_view name, int number) {
  if (name == "clone3") return;
  if (name == "clone") {
    Check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
                           SCMP_A0(SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0)),
          "limit clone");
  } else if (name == "socketpair") {
    // A stream between two of the program's own, which asyncio needs; a datagram socket could be
    // sent to other addresses.
    Check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
                           SCMP_A1(SCMP_CMP_MASKED_EQ, kSocketTypeBits, SOCK_STREAM)),
          "limit socketpair");
  } else {
    const uint32_t action = kDenied.contains(name) ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW;
    Check(seccomp_rule_add(filter, action, number, 0), "add a rule");
  }
}

}  // namespace

std::string MakeSeccompFilter() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(
      seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), [](scmp_filter_ctx context) {
        if (context != nullptr) seccomp_release(context);
      });
  if (filter == nullptr) throw RunError("sandbox: libseccomp cannot make a filter");
  Check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
        "check the architecture");
  // A binary tree instead of a list: some 9 comparisons a call, not 300.
  Check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "sort its rules");
  for (int number = 0; number < kCallNumbers; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (name == nullptr) continue;
    const std::unique_ptr<char, void (*)(void*)> owner(name, std::free);
    AddRule(filter.get(), name, number);
  }
  const Descriptor file(memfd_create("hone_seccomp", MFD_CLOEXEC));
  Check(seccomp_export_bpf(filter.get(), file.get()), "write the filter");
  std::string program(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)), '\0');
  if (pread(file.get(), program.data(), program.size(), 0) !=
      static_cast<ssize_t>(program.size())) {
    throw RunError("sandbox: cannot read the filter of system calls back");
  }
  return program;
}

}  // namespace hone::sandbox
