// Where no sandbox can be made, or one that does not hold, nothing runs.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>

#include "reward/sandbox/machine.h"
#include "reward/verifiers/verifiers.h"
#include "sandboxes.h"

namespace hone {
namespace {
using ::testing::AllOf;
using ::testing::HasSubstr;

// A PATH of one folder for as long as it lives, with a bwrap of the test's own if there is one.
class OnlyPath {
 public:
  explicit OnlyPath(const std::string& bwrap = "") : before_(std::getenv("PATH")) {
    std::string pattern = (std::filesystem::temp_directory_path() / "hone_path_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ::chmod(folder_.c_str(), 0755);  // as root the sandbox starts as nobody
    if (!bwrap.empty()) {
      std::ofstream(folder_ / "bwrap") << "#!/bin/bash\n" << bwrap;
      ::chmod((folder_ / "bwrap").c_str(), 0755);
    }
    ::setenv("PATH", folder_.c_str(), 1);
  }
  ~OnlyPath() {
    ::setenv("PATH", before_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }

 private:
  std::string before_;
  std::filesystem::path folder_;
};

std::string Refusal() {
  try {
    MakeCodeVerifier({});
    return "";
  } catch (const RunError& error) {
    return error.what();
  }
}

TEST(MachineTest, RefusesWithoutBubblewrap) {
  const OnlyPath path;
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("nothing runs without"), HasSubstr("apt-get install bubblewrap"),
                    HasSubstr("docs/sandbox.md")));
}

TEST(MachineTest, RefusesWhereBubblewrapCannotMakeNamespaces) {
  const OnlyPath path("echo 'bwrap: No permissions to create new namespace' >&2; exit 1\n");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("nothing runs without"),
                               HasSubstr("No permissions to create new namespace")));
}

TEST(MachineTest, NeverRunsBare) {
  // A bubblewrap that isolates nothing and starts the program that follows "--".
  const OnlyPath path("while [ \"$1\" != -- ]; do shift; done; shift\nexec " +
                      std::string(HONE_BINARY_DIR) + "/hone_sandbox \"${@:2}\"\n");
  EXPECT_THAT(Refusal(), HasSubstr("nothing runs without"));
}

TEST(MachineTest, RefusesWithoutItsProgram) {
  ::setenv("HONE_SANDBOX_PROGRAM", "/nowhere/hone_sandbox", 1);
  EXPECT_THAT(Refusal(), HasSubstr("/nowhere/hone_sandbox"));
  ::unsetenv("HONE_SANDBOX_PROGRAM");
}

// The real bubblewrap without one of its arguments.
class Weakened : public SandboxTest {
 protected:
  std::string RefusalWithout(const std::string& cases) {
    const OnlyPath path("keep=()\nwhile [ $# -gt 0 ]; do\n  case \"$1\" in\n" + cases +
                        "    --) break;;\n    *) keep+=(\"$1\"); shift;;\n  esac\ndone\nexec " +
                        machine().bubblewrap + " \"${keep[@]}\" \"$@\"\n");
    return Refusal();
  }
};

TEST_F(Weakened, SandboxIsFoundOut) {
  ASSERT_EQ(RefusalWithout(""), "");
  for (const auto& [cases, found] : std::initializer_list<std::pair<const char*, const char*>>{
           {"    --seccomp) shift 2;;\n", "socket can be made"},
           {"    --unshare-all|--unshare-pid|--as-pid-1) shift;;\n", "first process"},
           {"    --as-pid-1) shift;;\n", "first process"},
           {"    --remount-ro) shift 2;;\n", "outside of /tmp can be written"},
           {"    --size) shift 2;;\n", "/tmp is not limited"},
           {"    --clearenv) keep+=(--setenv SECRET 1); shift;;\n", "environment variable"},
           {"    --chdir) keep+=(--ro-bind / /mnt --chdir); shift;;\n", "/mnt can be reached"},
           {"    --chdir) keep+=(--proc /proc --chdir); shift;;\n", "/proc can be reached"},
           {"    --chdir) keep+=(--ro-bind /etc /etc --chdir); shift;;\n", "/etc/passwd"}}) {
    EXPECT_THAT(RefusalWithout(cases), AllOf(HasSubstr("nothing runs without"), HasSubstr(found)))
        << cases;
  }
}

}  // namespace
}  // namespace hone
