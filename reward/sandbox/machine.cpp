#include "reward/sandbox/machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/error.h"
#include "common/module.h"
#include "reward/sandbox/process.h"
#include "reward/sandbox/seccomp_filter.h"

namespace hone::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNeeds =
    "Expected bubblewrap 0.8 or newer, Linux 5.14 or newer, and user namespaces for every user.";

// `fix`: what to do about it.
[[noreturn]] void Refuse(const std::string& found, const std::string& fix) {
  throw RunError(
      fmt::format("code: no sandbox can be made on this machine, and nothing runs without one: {}"
                  "\n{}\nSee docs/sandbox.md.",
                  found, fix));
}

std::string OnPath(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / name;
    if (folder.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

std::string RealPath(const char* path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? std::string() : real.string();
}

// The number that the kernel's setting holds; -1 when there is none.
int Setting(const char* path) {
  int value = -1;
  std::ifstream(path) >> value;
  return value;
}

std::string HowToAllowNamespaces() {
  if (Setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    return "This kernel keeps user namespaces from programs without an AppArmor profile (Ubuntu "
           "23.10 and later). Give bwrap one, as docs/sandbox.md shows, or: sudo sysctl -w "
           "kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (Setting("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    return "This kernel keeps user namespaces from users: sudo sysctl -w "
           "kernel.unprivileged_userns_clone=1";
  }
  if (Setting("/proc/sys/user/max_user_namespaces") == 0) {
    return "This kernel allows no user namespaces: sudo sysctl -w user.max_user_namespaces=10000";
  }
  std::error_code ignored;
  if (fs::exists("/.dockerenv", ignored) || fs::exists("/run/.containerenv", ignored)) {
    return "This is a container: start it with --security-opt seccomp=unconfined --security-opt "
           "apparmor=unconfined --security-opt systempaths=unconfined";
  }
  return kNeeds;
}

// Whatever of the user's lies at no place that a sandbox shows on purpose.
std::vector<std::string> ForbiddenPaths(const Machine& machine) {
  std::vector<std::string> paths = {machine.program};
  if (const char* home = std::getenv("HOME"); home != nullptr) paths.emplace_back(home);
  std::error_code ignored;
  paths.push_back(fs::current_path(ignored).string());
  std::erase_if(paths, [](const std::string& path) {
    return !path.starts_with('/') || path == "/" || path == "/tmp" || path.starts_with("/usr");
  });
  return paths;
}

RunResult RunRole(const Machine& machine, Root root, std::vector<std::string> role,
                  const Limits& limits) {
  role.insert(role.begin(), kProgramPath);
  Process process(machine, {.argv = std::move(role), .root = root, .limits = limits});
  process.Send("");
  return process.Receive();
}

void ExpectHolds(const Machine& machine) {
  std::vector<std::string> probe = {"probe"};
  for (auto& path : ForbiddenPaths(machine)) probe.push_back(std::move(path));
  for (const Root root : {Root::kNothing, Root::kPython, Root::kCompiler}) {
    const RunResult run = RunRole(machine, root, probe, Limits());
    if (run.end != RunEnd::kExited || run.status != 0 || !run.output.empty()) {
      Refuse("a sandbox was made, but does not hold: " +
                 (run.output.empty() ? "its test did not end" : run.output),
             kNeeds);
    }
  }
  Limits short_limits;
  short_limits.cpu_ms = 50;
  short_limits.wall_ms = 5'000;
  if (RunRole(machine, Root::kNothing, {"spin"}, short_limits).end != RunEnd::kCpuTime) {
    Refuse("a sandbox was made, but does not hold: CPU time is not limited", kNeeds);
  }
  short_limits.wall_ms = 50;
  if (RunRole(machine, Root::kNothing, {"sleep"}, short_limits).end != RunEnd::kWallTime) {
    Refuse("a sandbox was made, but does not hold: wall time is not limited", kNeeds);
  }
}

}  // namespace

Machine FindMachine() {
  Machine machine;
  machine.bubblewrap = OnPath("bwrap");
  if (machine.bubblewrap.empty()) {
    Refuse("bubblewrap (bwrap) is not on PATH", "Install it: sudo apt-get install bubblewrap");
  }
  machine.program = BesideProgram("hone_sandbox", "HONE_SANDBOX_PROGRAM");
  if (::access(machine.program.c_str(), X_OK) != 0) {
    Refuse("hone_sandbox was not found at " + machine.program,
           "Build the target hone_sandbox, or set HONE_SANDBOX_PROGRAM to its path.");
  }
  machine.python = RealPath("/usr/bin/python3");
  machine.compiler = RealPath("/usr/bin/g++").empty() ? "" : "/usr/bin/g++";
  machine.filter = MakeSeccompFilter();
  try {
    ExpectHolds(machine);
  } catch (const ProcessError& error) {
    Refuse(error.what(), HowToAllowNamespaces());
  }
  return machine;
}

}  // namespace hone::sandbox
