// What programs that try to get out, to stay or to fill the machine come to.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "reward/sandbox/process.h"
#include "sandboxes.h"

namespace hone::sandbox {
namespace {
using std::chrono::duration;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

class ProcessTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    if (!IsSkipped() && machine().python.empty()) GTEST_SKIP() << "no /usr/bin/python3";
  }
  Command Python(const std::string& code) {
    code_ = "import os, sys, time, signal, ctypes\n" + code;
    Command command{.argv = {"/usr/bin/python3", "-s", "-B", "/hone/main.py", token_},
                    .root = Root::kPython,
                    .files = {{"main.py", code_}}};
    command.limits.cpu_ms = 2'000;
    command.limits.wall_ms = 3'000;
    return command;
  }
  RunResult RunPython(const std::string& code) {
    Process process(machine(), Python(code));
    process.Send("");
    return process.Receive();
  }
  // The attempt fails, and the program lives to say so.
  void ExpectHeld(const std::string& attempt) {
    std::string indented;
    std::istringstream lines(attempt);
    for (std::string line; std::getline(lines, line);) indented += "  " + line + "\n";
    const RunResult run = RunPython("try:\n" + indented +
                                    "  print('escaped')\n"
                                    "except (OSError, MemoryError) as error:\n"
                                    "  print('held', type(error).__name__)\n");
    EXPECT_THAT(run.output, ::testing::StartsWith("held")) << attempt << "\n" << run.output;
  }
  void ExpectNobodyLeft() {
    // The kernel ends them before bubblewrap; /proc may show one that is being taken away.
    const auto deadline = steady_clock::now() + std::chrono::seconds(1);
    while (ProcessesNamed(token_) > 0 && steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(ProcessesNamed(token_), 0);
  }
  const std::string& token() const { return token_; }

 private:
  // On the command line of every program of this test and, through fork, of its children.
  std::string token_ = "hone-sandbox-test-" + std::to_string(::getpid());
  std::string code_;
};

constexpr const char* kSyscall =
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(*a):\n"
    "  if libc.syscall(*a) < 0:\n"
    "    raise OSError(ctypes.get_errno(), 'refused')\n";

TEST_F(ProcessTest, RunsAProgramOnItsInput) {
  Command command = Python("print(sys.stdin.read().upper()); sys.exit(3)");
  command.largest_input = 100;
  Process process(machine(), command);
  for (const char* input : {"a", "", "b\nc"}) {
    process.Send(input);
    const RunResult run = process.Receive();
    EXPECT_EQ(run.end, RunEnd::kExited);
    EXPECT_EQ(run.status, 3);
    EXPECT_FALSE(run.left_files);
    EXPECT_GT(run.cpu_s, 0);
    EXPECT_LT(run.wall_s, 3);
  }
}

TEST_F(ProcessTest, InputIsAFileOfItsSizeThatCannotBeWritten) {
  const std::string input(3'000'000, 'x');
  Command command = Python(
      "print(os.fstat(0).st_size, len(os.read(0, 4000000)))\n"
      "try: os.write(0, b'x')\n"
      "except OSError: print('held')\n");
  command.largest_input = input.size();
  Process process(machine(), command);
  process.Send(input);
  EXPECT_EQ(process.Receive().output, "3000000 3000000\nheld\n");
}

TEST_F(ProcessTest, NoNetwork) {
  for (const char* kind :
       {"AF_INET, socket.SOCK_STREAM", "AF_INET, socket.SOCK_DGRAM", "AF_INET6, socket.SOCK_STREAM",
        "AF_UNIX, socket.SOCK_STREAM", "AF_UNIX, socket.SOCK_DGRAM", "AF_NETLINK, socket.SOCK_RAW",
        "AF_PACKET, socket.SOCK_RAW", "AF_VSOCK, socket.SOCK_STREAM"}) {
    ExpectHeld(std::string("import socket\nsocket.socket(socket.") + kind + ")");
  }
  // An abstract address, by the one kind of socket that there is.
  ExpectHeld("import socket\na, b = socket.socketpair()\na.bind('\\0hone')");
  ExpectHeld("import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)");
  EXPECT_EQ(RunPython("import asyncio\nasync def f(): return 5\nprint(asyncio.run(f()))").output,
            "5\n");
}

TEST_F(ProcessTest, SeesNoFilesOfTheUser) {
  const auto secret = std::filesystem::temp_directory_path() / token();
  std::ofstream(secret) << "secret";
  for (const std::string& path :
       {secret.string(), std::string(HONE_SOURCE_DIR), machine().program,
        std::string(std::getenv("HOME") != nullptr ? std::getenv("HOME") : "/root"),
        std::string("/etc/passwd"), std::string("/home"), std::string("/proc"),
        std::string("/proc/1/environ"), std::string("/sys"), std::string("/var"),
        std::string("/run"), std::string("/dev/sda"), std::string("/dev/tty"),
        std::string("/dev/shm"), std::string("/usr/bin/env"), std::string("/bin/sh")}) {
    if (path == "/tmp" || path == "/") continue;
    ExpectHeld("os.stat('" + path + "')");
  }
  std::filesystem::remove(secret);
  EXPECT_EQ(RunPython("print(sorted(os.listdir('/hone')), os.listdir('/tmp'))").output,
            "['main.py', 'sandbox'] []\n");
}

TEST_F(ProcessTest, WritesNowhereButInTmp) {
  for (const char* attempt :
       {"open('/x', 'w')", "open('/hone/x', 'w')", "open('/hone/main.py', 'w')",
        "open('/hone/sandbox', 'w')", "os.chmod('/hone/main.py', 0o777)",
        "os.remove('/hone/main.py')", "open('/usr/lib/x', 'w')", "os.mkdir('/dev/x')",
        "os.rename('/hone', '/tmp/hone')", "os.symlink('/etc', '/x')",
        "os.link('/hone/main.py', '/tmp/main.py')"}) {
    ExpectHeld(attempt);
  }
  EXPECT_EQ(RunPython("open('/tmp/x', 'w').write('a'); print(open('/tmp/x').read())").output,
            "a\n");
}

TEST_F(ProcessTest, InheritsNeitherVariablesNorFiles) {
  ::setenv("HONE_TEST_SECRET", "secret", 1);
  const int open = ::open("/etc/passwd", O_RDONLY);  // without close-on-exec
  const RunResult run = RunPython(
      "print(sorted(set(os.environ) - {'LC_CTYPE'}))\n"  // which Python may set itself
      "for fd in range(3, 5000):\n"
      "  try: os.fstat(fd); print('open', fd)\n"
      "  except OSError: pass\n");
  ::close(open);
  ::unsetenv("HONE_TEST_SECRET");
  EXPECT_EQ(run.output,
            "['HOME', 'LANG', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PATH', 'PWD', "
            "'PYTHONHASHSEED']\n");
}

TEST_F(ProcessTest, SeesAndEndsNoOtherProcess) {
  Process process(machine(), Python("print(os.getpid(), os.getppid(), flush=True)\n"
                                    "for pid in (1, os.getppid()):\n"
                                    "  for number in range(1, 65):\n"
                                    "    try: os.kill(pid, number)\n"
                                    "    except OSError: pass\n"
                                    "for pid in range(2, 70000):\n"
                                    "  if pid != os.getpid():\n"
                                    "    try: os.kill(pid, 0); print('sees', pid)\n"
                                    "    except ProcessLookupError: pass\n"
                                    "try: os.kill(-1, 9)\n"
                                    "except OSError: pass\n"));
  for (const char* expected : {"2 1\n", "3 1\n"}) {  // the supervisor lives on
    process.Send("");
    EXPECT_EQ(process.Receive().output, expected);
  }
}

TEST_F(ProcessTest, RefusesDangerousSystemCalls) {
  const std::string prelude = kSyscall;
  for (const char* call : {"101, 16, 1, 0, 0",
                           "310, 1, 0, 0, 0, 0, 0",
                           "311, 1, 0, 0, 0, 0, 0",
                           "438, 0, 0, 0",
                           "272, 0x10000000",
                           "272, 0x20000",
                           "308, 0, 0",
                           "56, 0x10000011, 0, 0, 0, 0",
                           "435, 0, 0",
                           "425, 1, 0",
                           "426, 0, 0, 0, 0, 0, 0",
                           "427, 0, 0, 0, 0",
                           "250, 0, 0, 0, 0, 0",
                           "248, 0, 0, 0, 0, 0",
                           "321, 0, 0, 0",
                           "323, 0",
                           "298, 0, 0, 0, 0, 0",
                           "165, 0, 0, 0, 0, 0",
                           "166, 0, 0",
                           "155, 0, 0",
                           "161, 0",
                           "428, 0, 0, 0",
                           "429, 0, 0, 0, 0, 0",
                           "430, 0, 0",
                           "319, 0, 0",
                           "447, 0",
                           "29, 0, 4096, 0o1600",
                           "240, 0, 0, 0, 0",
                           "317, 0, 0, 0",
                           "303, 0, 0, 0, 0, 0",
                           "254",
                           "300, 0, 0",
                           "206, 1, 0",
                           "134",
                           "600",
                           "1000"}) {
    ExpectHeld(prelude + "call(" + call + ")");
  }
}

TEST_F(ProcessTest, MemoryIsLimited) {
  ExpectHeld("x = b'x' * (600 << 20)");
  ExpectHeld("x = []\nwhile True: x.append(bytearray(1 << 20))");
  ExpectHeld("import mmap\nmmap.mmap(-1, 1 << 40)");
}

TEST_F(ProcessTest, AForkBombIsLimitedAndLeavesNobody) {
  const RunResult count = RunPython(
      "n = 0\n"
      "try:\n"
      "  while n < 1000:\n"
      "    if os.fork() == 0: time.sleep(100)\n"
      "    n += 1\n"
      "except OSError: pass\n"
      "print(n)\n");
  EXPECT_EQ(count.output, "15\n");
  const auto begin = steady_clock::now();
  const RunResult bomb = RunPython(
      "while True:\n"
      "  try: os.fork()\n"
      "  except OSError: pass\n");
  EXPECT_TRUE(bomb.end == RunEnd::kCpuTime || bomb.end == RunEnd::kWallTime);
  EXPECT_LT(duration<double>(steady_clock::now() - begin).count(), 3 + 1);
  ExpectNobodyLeft();
}

TEST_F(ProcessTest, DiskIsLimited) {
  ExpectHeld("f = open('/tmp/x', 'wb')\nwhile True: f.write(b'x' * (1 << 20))");
  ExpectHeld("for i in range(100): open('/tmp/%d' % i, 'wb').write(b'x' * (1 << 20))");
  ExpectHeld(
      "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nopen('/tmp/x', 'wb').truncate(1 << 40)");
  const RunResult many = RunPython("for i in range(10**7): os.mkdir('/tmp/%d' % i)");
  EXPECT_EQ(many.end, RunEnd::kFiles);
  EXPECT_TRUE(many.left_files);
}

TEST_F(ProcessTest, OutputIsLimited) {
  const auto begin = steady_clock::now();
  Command command = Python("while True: os.write(1, b'x' * (1 << 20))");
  command.limits.output_bytes = 1 << 20;
  Process process(machine(), command);
  process.Send("");
  const RunResult run = process.Receive();
  EXPECT_EQ(run.end, RunEnd::kOutput);
  EXPECT_EQ(run.output.size(), 1U << 20);
  EXPECT_LT(duration<double>(steady_clock::now() - begin).count(), 2);
}

TEST_F(ProcessTest, TimeIsLimitedWhateverTheProgramDoes) {
  const auto ends = [&](const std::string& code, RunEnd expected) {
    Command command = Python(code);
    command.limits.cpu_ms = 300;
    // The machine may be busy: CPU time comes slowly then.
    command.limits.wall_ms = expected == RunEnd::kCpuTime ? 20'000 : 700;
    const auto begin = steady_clock::now();
    Process process(machine(), command);
    process.Send("");
    EXPECT_EQ(process.Receive().end, expected) << code;
    const double limit_s = static_cast<double>(command.limits.wall_ms) * 1e-3;
    EXPECT_LT(duration<double>(steady_clock::now() - begin).count(), limit_s + 1) << code;
  };
  const std::string deaf =
      "for n in range(1, 65):\n"
      "  try: signal.signal(n, signal.SIG_IGN)\n"
      "  except (OSError, ValueError): pass\n";
  ends("while True: pass", RunEnd::kCpuTime);
  ends(deaf + "while True: pass", RunEnd::kCpuTime);
  ends(deaf + "time.sleep(100)", RunEnd::kWallTime);
  ends("os.mkfifo('/tmp/f'); open('/tmp/f')", RunEnd::kWallTime);
  ends("os.kill(os.getpid(), signal.SIGSTOP)", RunEnd::kWallTime);
  ends("os.close(1); time.sleep(100)", RunEnd::kWallTime);
  // A child's time counts as far as its parent waits for it.
  ends("if os.fork() == 0:\n  while True: pass\nos.wait()", RunEnd::kWallTime);
  ExpectNobodyLeft();
}

TEST_F(ProcessTest, OrphansNeitherStayNorStallTheReader) {
  const auto begin = steady_clock::now();
  const RunResult run = RunPython(
      "print('done', flush=True)\n"
      "if os.fork() == 0:\n"
      "  os.setsid()\n"
      "  if os.fork() == 0:\n"
      "    time.sleep(100)\n"  // and holds standard output
      "  os._exit(0)\n");
  EXPECT_EQ(run.end, RunEnd::kExited);
  EXPECT_EQ(run.output, "done\n");
  EXPECT_LT(duration<double>(steady_clock::now() - begin).count(), 2);
  ExpectNobodyLeft();
}

TEST_F(ProcessTest, RunsShareNothing) {
  Process process(machine(), Python("print(os.listdir('/tmp'))\n"
                                    "if sys.stdin.read() == 'leave': open('/tmp/x', 'w')\n"));
  process.Send("");
  RunResult run = process.Receive();
  EXPECT_FALSE(run.left_files);
  process.Send("");
  EXPECT_EQ(process.Receive().output, "[]\n");
  Command command = Python("open('/tmp/x', 'w')");
  Process leaves(machine(), command);
  leaves.Send("");
  EXPECT_TRUE(leaves.Receive().left_files);
  EXPECT_THROW(
      {
        leaves.Send("");  // its sandbox is gone
        leaves.Receive();
      },
      ProcessError);
}

TEST_F(ProcessTest, TheNextRunMeetsNoOrphan) {
  Process process(machine(), Python("others = []\n"
                                    "for pid in range(2, 200):\n"
                                    "  if pid != os.getpid():\n"
                                    "    try: os.kill(pid, 0); others.append(pid)\n"
                                    "    except ProcessLookupError: pass\n"
                                    "print(others, flush=True)\n"
                                    "if os.fork() == 0: time.sleep(100)\n"));
  for (int i = 0; i < 3; ++i) {
    process.Send("");
    EXPECT_EQ(process.Receive().output, "[]\n");
  }
}

TEST_F(ProcessTest, EndsWhatStillRunsWhenItIsLetGo) {
  {
    Process process(machine(),
                    Python("print(1)\nif os.fork() == 0: time.sleep(100)\ntime.sleep(100)"));
    process.Send("");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_GE(ProcessesNamed(token()), 1);
  }
  ExpectNobodyLeft();
}

TEST_F(ProcessTest, HundredsOfRunsLeakNothing) {
  const auto count = [](const char* folder) {
    std::error_code ignored;
    return std::distance(std::filesystem::directory_iterator(folder, ignored), {});
  };
  RunPython("pass");
  const auto descriptors = count("/proc/self/fd");
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  const Command command = Python("if os.fork() == 0: time.sleep(100)\nprint(7)");
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 75; ++i) {
        Process process(machine(), command);
        process.Send("");
        right += process.Receive().output == "7\n";
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 300);
  EXPECT_EQ(count("/proc/self/fd"), descriptors);
  ExpectNobodyLeft();
}

}  // namespace
}  // namespace hone::sandbox
