#include "reward/sandbox/bubblewrap.h"

#include <filesystem>

namespace hone::sandbox {
namespace {

namespace fs = std::filesystem;

class Arguments {
 public:
  template <typename... Words>
  void Add(const Words&... words) {
    (list_.emplace_back(words), ...);
  }
  // A folder of the system as it is: where /lib is a link to usr/lib, a link.
  void ShowFolder(const std::string& path) {
    std::error_code error;
    if (fs::is_symlink(path, error)) {
      const fs::path target = fs::read_symlink(path, error);
      if (!error) Add("--symlink", target.string(), path);
    } else if (fs::is_directory(path, error)) {
      Add("--ro-bind", path, path);
    }
  }
  std::vector<std::string> Take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

// --unshare-all alone goes on where a namespace cannot be had: each is named again, strictly.
void AddIsolation(const BubblewrapInputs& inputs, Arguments* arguments) {
  arguments->Add("--unshare-all", "--unshare-user", "--unshare-ipc", "--unshare-pid",
                 "--unshare-net", "--unshare-uts", "--unshare-cgroup", "--disable-userns",
                 "--assert-userns-disabled", "--die-with-parent", "--new-session", "--as-pid-1",
                 "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "sandbox",
                 "--seccomp", std::to_string(inputs.filter));
}

// The same names on every machine. Hashes of text and the order of sets are the same in each run.
void AddEnvironment(Arguments* arguments) {
  arguments->Add("--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp",
                 "--setenv", "LANG", "C.UTF-8", "--setenv", "PYTHONHASHSEED", "0", "--setenv",
                 "OMP_NUM_THREADS", "1", "--setenv", "OPENBLAS_NUM_THREADS", "1");
}

void AddSystem(const Machine& machine, Root root, Arguments* arguments) {
  for (const char* device : {"null", "zero", "full", "random", "urandom"}) {
    const std::string path = std::string("/dev/") + device;
    arguments->Add("--dev-bind", path, path);
  }
  if (root == Root::kNothing) return;
  for (const char* folder : {"/usr/lib", "/usr/lib64", "/lib", "/lib64"}) {
    arguments->ShowFolder(folder);
  }
  // Where libraries are; of no secrets, and not there on every system.
  for (const char* path : {"/etc/ld.so.cache", "/etc/alternatives"}) {
    arguments->Add("--ro-bind-try", path, path);
  }
  if (root == Root::kCompiler) {
    for (const char* folder : {"/usr/bin", "/bin", "/usr/include", "/usr/libexec"}) {
      arguments->ShowFolder(folder);
    }
  } else if (!machine.python.empty()) {
    arguments->Add("--ro-bind", machine.python, "/usr/bin/python3");
  }
}

}  // namespace

std::vector<std::string> BubblewrapArguments(const Machine& machine, const Command& command,
                                             const BubblewrapInputs& inputs) {
  Arguments arguments;
  AddIsolation(inputs, &arguments);
  AddEnvironment(&arguments);
  AddSystem(machine, command.root, &arguments);
  arguments.Add("--perms", "0555", "--ro-bind-data", std::to_string(inputs.program), kProgramPath);
  for (size_t i = 0; i < command.files.size(); ++i) {
    arguments.Add("--perms", "0555", "--ro-bind-data", std::to_string(inputs.files[i]),
                  "/hone/" + command.files[i].name);
  }
  // Without a size a tmpfs takes half of the machine's memory. One page for the input's last part.
  const uint64_t tmp_bytes =
      command.limits.file_bytes + command.largest_input + (command.largest_input > 0 ? 4096 : 0);
  arguments.Add("--perms", "0700", "--size", std::to_string(tmp_bytes), "--tmpfs", "/tmp",
                "--chdir", "/tmp", "--remount-ro", "/", "--", kProgramPath, "supervise");
  for (const auto& argument : command.argv) arguments.Add(argument);
  return arguments.Take();
}

}  // namespace hone::sandbox
