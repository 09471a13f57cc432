// The verifier `code` through its own door: what scores, what is a time-out, and that no trick
// scores.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "reward/verifiers/verifiers.h"
#include "sandboxes.h"

namespace hone {
namespace {
using ::testing::HasSubstr;

class CodeVerifierTest : public SandboxTest {
 protected:
  static Verdict Judge(const std::string& code, const Json& columns,
                       const Json& options = Json::object(), const std::string& label = "python") {
    Json all = {{"timeout_s", 1}};
    if (options.is_object()) all.update(options);
    const std::string completion = "<think>t</think>\n```" + label + "\n" + code + "\n```\n";
    return MakeCodeVerifier(all)->Score(
        {.prompt = "", .completion = completion, .columns = columns, .group = 0, .index = 0});
  }
};

const Json kSums = {{"tests",
                     {{{"input", "1 2\n"}, {"output", "3\n"}},
                      {{"input", "5 6"}, {"output", "11"}},
                      {{"input", "-1 1"}, {"output", "0"}}}}};
const Json kSquares = {{"tests", {"assert square(3) == 9", "assert square(-2) == 4"}}};

TEST_F(CodeVerifierTest, ScoresProgramsThatReadAndWrite) {
  EXPECT_EQ(Judge("a, b = map(int, input().split())\nprint(a + b)", kSums).reward, 1);
  EXPECT_EQ(
      Judge("a, b = map(int, input().split())\nprint(abs(a + b) if a < 5 else 0)", kSums).reward,
      0);
  EXPECT_EQ(Judge("print(3)", kSums).reward, 0);
  EXPECT_EQ(
      Judge("a, b = map(int, input().split())\nprint(a + b)\nraise SystemExit(1)", kSums).reward,
      0);
  EXPECT_EQ(Judge("this is no Python", kSums).reward, 0);
  EXPECT_NEAR(Judge("print(3)", kSums, {{"credit", "fraction"}}).reward, 1.0 / 3, 1e-12);
}

TEST_F(CodeVerifierTest, TheColumnSolutionIsARightAnswerAndTestsAloneAreNone) {
  const auto verifier = MakeCodeVerifier(Json::object());
  EXPECT_EQ(verifier->GoldAnswer(kSums), std::nullopt);
  for (const char* solution : {"print(sum(map(int, input().split())))",
                               "```python\nprint(sum(map(int, input().split())))\n```"}) {
    Json columns = kSums;
    columns["solution"] = solution;
    const std::string gold = verifier->GoldAnswer(columns).value_or("");
    EXPECT_EQ(verifier->Score({.prompt = "", .completion = gold, .columns = columns}).reward, 1)
        << gold;
  }
  EXPECT_EQ(MakeCodeVerifier({{"language", "cpp"}})->GoldAnswer({{"solution", "int main() {}"}}),
            "```cpp\nint main() {}\n```");
}

TEST_F(CodeVerifierTest, CompilesAndRunsCpp) {
  const std::string right =
      "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }";
  EXPECT_EQ(Judge(right, kSums, {}, "cpp").reward, 1);
  EXPECT_EQ(Judge(right, kSums, {{"language", "cpp"}}, "").reward, 1);
  EXPECT_EQ(Judge("int main() { return 0; }", kSums, {}, "cpp").reward, 0);
  EXPECT_EQ(Judge("no C++", kSums, {}, "cpp").reward, 0);
  EXPECT_EQ(Judge("#include \"/etc/passwd\"\nint main() {}", kSums, {}, "cpp").reward, 0);
  // A 32-bit system call, which a filter for 64 bits does not know.
  EXPECT_EQ(Judge("#include <cstdio>\nint main() { int r; asm volatile(\"int $0x80\" : \"=a\"(r) : "
                  "\"a\"(20)); std::puts(\"alive\"); }",
                  {{"tests", {{{"input", ""}, {"output", "alive"}}}}}, {}, "cpp")
                .reward,
            0);
}

TEST_F(CodeVerifierTest, ScoresFunctionsByTheTestsOfTheData) {
  EXPECT_EQ(Judge("def square(x):\n  return x * x", kSquares).reward, 1);
  EXPECT_EQ(Judge("def square(x):\n  return x * 3", kSquares).reward, 0);
  EXPECT_EQ(Judge("def square(x):\n  return x * 3", kSquares, {{"credit", "fraction"}}).reward,
            0.5);
  EXPECT_EQ(Judge("square = lambda x: x ** 2\nif __name__ == '__main__': input()", kSquares).reward,
            1);
  const Json check = {{"test",
                       "METADATA = {}\ndef check(candidate):\n"
                       "  for x in range(20):\n    assert abs(candidate(x) - x * x) < 1e-6\n"
                       "  assert candidate(2) == 4, 'two'\n"},
                      {"entry_point", "square"}};
  EXPECT_EQ(Judge("def square(x):\n  return x * x * 1.0", check, {{"tests_column", "test"}}).reward,
            1);
  EXPECT_EQ(
      Judge("def square(x):\n  return x * x if x < 19 else 0", check, {{"tests_column", "test"}})
          .reward,
      0);
  const Json calls = {
      {"tests", {{"fn_name", "add"}, {"inputs", {{1, 2}, {3, 4}}}, {"outputs", {{3}, 7}}}}};
  EXPECT_EQ(Judge("class Solution:\n  def add(self, a, b): return a + b", calls).reward, 1);
  EXPECT_EQ(Judge("def add(a, b): return 3", calls).reward, 0);
}

TEST_F(CodeVerifierTest, ValuesOfEveryPlainTypeTravel) {
  const Json tests = {
      {"test_setup_code", "import math"},
      {"tests",
       {"assert echo((1, [2.5, None, True], {'a': {3}}, 'é\\ud800', b'x', frozenset([1]), 2j)) == "
        "(1, [2.5, None, "
        "True], {'a': {3}}, 'é\\ud800', b'x', frozenset([1]), 2j)",
        "assert type(echo((1,))) is tuple and type(echo(1.0)) is float and type(echo(True)) is "
        "bool",
        "assert echo(10 ** 5000) == 10 ** 5000", "assert echo(-2 ** 63) == -2 ** 63",
        "assert math.isnan(echo(float('nan'))) and echo(float('-inf')) < 0",
        "assert set(map(echo, [1, 2, 2])) == {1, 2}", "assert not echo(0)", "assert echo(x=3) == 3",
        "try:\n  echo(1, 2)\n  assert False\nexcept TypeError:\n  pass"}}};
  const Verdict verdict = Judge("def echo(x):\n  return x", tests, {{"credit", "fraction"}});
  EXPECT_EQ(verdict.reward, 1) << verdict.error.value_or("");
}

TEST_F(CodeVerifierTest, ForgeriesOfCallsDoNotScore) {
  for (const char* code : {
           "import os\nos._exit(0)",
           "import sys\nsys.exit(0)",
           "raise SystemExit",
           "def square(x):\n  import os\n  os._exit(0)",
           "def square(x):\n  raise StopIteration",
           "def square(x):\n  raise AssertionError",
           // a value that says it is equal to all
           "class Any(int):\n  def __eq__(self, other): return True\n  def __hash__(self): return "
           "0\n"
           "def square(x): return Any()",
           "class Any:\n  def __eq__(self, other): return True\ndef square(x): return Any()",
           // the verdict's output
           "import os\nfor fd in (1, 2, 4):\n  os.write(fd, b'pass\\npass\\nend\\n')\nos._exit(0)",
           "print('pass\\npass\\nend', flush=True)\ndef square(x): return None",
           // the harness
           "import wire\nwire.encode = lambda *a: {'passed': True}\ndef square(x): return 1",
           "import wire, os, json\n"
           "def forge(*a):\n  body = json.dumps({'result': True, 'pass': True, 'end': "
           "1}).encode()\n"
           "  os.write(4, len(body).to_bytes(4, 'little') + body)\nwire.send = forge\ndef "
           "square(x): return 1",
           "import sys, types\nm = types.ModuleType('wire')\nm.send = m.encode = m.decode = lambda "
           "*a: True\n"
           "sys.modules['wire'] = m\ndef square(x): return True",
           "import builtins\nbuiltins.AssertionError = Exception\nbuiltins.compile = None\ndef "
           "square(x): return 0",
           "import sys\nsys.modules['__main__'].answer = lambda *a: {'result': True}\ndef "
           "square(x): return 0",
           // replies that are none
           "import os\nos.write(4, b'\\xff\\xff\\xff\\xff' + b'x' * 100)\ndef square(x): return x "
           "* x",
           "import os\nos.write(4, (9).to_bytes(4, 'little') + b'[[[[[[[[[')\nos.write(4, b'\\0' * "
           "64)",
           "def square(x):\n  r = []\n  for i in range(99999): r = [r]\n  return r",
           // looking for what is expected, in every frame and object
           "import sys, gc\n"
           "def square(x):\n"
           "  f = sys._getframe()\n"
           "  while f:\n"
           "    for v in list(f.f_locals.values()) + list(f.f_globals.values()):\n"
           "      if 'assert' in str(v): return 9 if x == 3 else 4\n"
           "    f = f.f_back\n"
           "  for o in gc.get_objects():\n"
           "    if isinstance(o, dict) and any('assert square' in str(v) for v in "
           "list(o.values())):\n"
           "      return 9 if x == 3 else 4\n"
           "  return 0",
           // the judge's process, which lives in another sandbox
           "import os, signal\n"
           "for pid in range(1, 30):\n"
           "  if pid != os.getpid():\n"
           "    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass\n"
           "def square(x): return 0",
       }) {
    const Verdict verdict = Judge(code, kSquares, {{"credit", "fraction"}});
    EXPECT_EQ(verdict.reward, 0) << code;
    EXPECT_EQ(verdict.error, std::nullopt) << code;
  }
}

TEST_F(CodeVerifierTest, ForgeriesOfOutputDoNotScore) {
  for (const char* code :
       {"import os\nos._exit(0)", "print('PASS')", "print('3\\n11\\n0')",
        "import os\nfor fd in range(100):\n  try: os.write(fd, b'3\\n')\n  except OSError: pass\n"
        "print(11)",
        // a test that leaves word for the next one
        "import os\nn = len(os.listdir('/tmp'))\nopen('/tmp/%d' % n, 'w')\nprint([3, 11, 0][n])",
        "print(3 if not __file__.startswith('x') else 0)",
        "import os\nif os.fork() == 0:\n  import time\n  time.sleep(50)\nprint(7)"}) {
    const Verdict verdict = Judge(code, kSums);
    EXPECT_EQ(verdict.reward, 0) << code;
    EXPECT_EQ(verdict.error, std::nullopt) << code;
  }
}

TEST_F(CodeVerifierTest, ATimeOutIsAVerdictOfItsOwn) {
  const auto times_out = [](const Verdict& verdict) {
    EXPECT_EQ(verdict.reward, 0);
    EXPECT_THAT(verdict.error.value_or(""), HasSubstr("timeout"));
    EXPECT_EQ(verdict.cause, ErrorCause::kTimeout);
  };
  const Json options = {{"timeout_s", 0.3}};
  times_out(Judge("while True: pass", kSums, options));
  times_out(Judge("import time\ntime.sleep(100)", kSums, options));
  times_out(Judge("while True: pass", kSquares, options));
  times_out(Judge("def square(x):\n  while True: pass", kSquares, options));
  times_out(Judge("import time\ndef square(x): time.sleep(100)", kSquares, options));
  times_out(Judge("import time\ntime.sleep(0.2)\nprint(sum(map(int, input().split())))", kSums,
                  {{"total_timeout_s", 0.3}}));
  // A wrong answer before it is a wrong answer.
  const Verdict wrong = Judge("if input() == '1 2': print(4)\nelse:\n  while True: pass", kSums);
  EXPECT_EQ(wrong.error, std::nullopt);
}

TEST_F(CodeVerifierTest, SaysWhatItCannotJudge) {
  const auto error = [](const Json& columns, const std::string& label = "python") {
    const Verdict verdict = Judge("def f(x): return x", columns, {}, label);
    EXPECT_EQ(verdict.reward, 0);
    EXPECT_EQ(verdict.cause, ErrorCause::kUndecided);
    return verdict.error.value_or("none");
  };
  EXPECT_THAT(error(Json::object()), HasSubstr("expected a column \"tests\""));
  EXPECT_THAT(error({{"tests", {"assert f(lambda x: x)"}}}), HasSubstr("not plain data"));
  EXPECT_THAT(error({{"tests", {"assert 1 == 1"}}}), HasSubstr("calls no function"));
  EXPECT_THAT(error({{"tests", {"assert f(1) =="}}}), HasSubstr("no Python"));
  EXPECT_THAT(error({{"tests", "x = 1 +"}, {"entry_point", "f"}}), HasSubstr("no Python"));
  EXPECT_THAT(error({{"tests", "x = 1"}, {"entry_point", "f"}}), HasSubstr("no function check"));
  EXPECT_THAT(error({{"tests", {"import os\nf(1)\nos._exit(0)"}}}), HasSubstr("ended before"));
  EXPECT_THAT(error(kSquares, "cpp"), HasSubstr("only Python"));
  EXPECT_THROW(MakeCodeVerifier({{"unsafe", true}}), UsageError);
  EXPECT_THROW(MakeCodeVerifier({{"language", "rust"}}), UsageError);
  EXPECT_THROW(MakeCodeVerifier({{"timeout_s", 0}}), UsageError);
}

TEST_F(CodeVerifierTest, ACompletionWithoutAProgramIsWrong) {
  const auto verifier = MakeCodeVerifier({});
  for (const char* completion :
       {"", "no code", "<think>```python\nprint(3)\n```", "```python\nprint(3)"}) {
    const Verdict verdict = verifier->Score(
        {.prompt = "", .completion = completion, .columns = kSums, .group = 0, .index = 0});
    EXPECT_EQ(verdict.reward, 0);
    EXPECT_EQ(verdict.error, std::nullopt);
  }
}

TEST_F(CodeVerifierTest, AsManyGroupsAreJudgedAtOnceAsItHasPlaces) {
  const auto verifier = MakeCodeVerifier({{"timeout_s", 1}, {"processes", 1}});
  EXPECT_EQ(verifier->parallel(), 1);
  EXPECT_GT(verifier->deadline_s(), 60);
  const std::string completion = "```python\nimport time\ntime.sleep(0.5)\nprint(3)\n```\n";
  const Json columns = {{"tests", {{{"input", ""}, {"output", "3"}}}}};
  ScoringWatch watches[2];
  std::atomic<int> left = 2;
  const auto judge = [&](ScoringWatch* watch) {
    const Sample sample = {.prompt = "", .completion = completion, .columns = columns};
    EXPECT_EQ(verifier->ScoreBatch({&sample, 1}, *watch)[0].reward, 1);
    --left;
  };
  std::jthread one(judge, &watches[0]), two(judge, &watches[1]);
  const auto at_work = [&](int i) {
    const ScoringWatch::View view = watches[i].Look();
    return view.works && view.verdicts == 0;
  };
  while (left > 0) {
    EXPECT_FALSE(at_work(0) && at_work(1) && at_work(0));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (const ScoringWatch& watch : watches) EXPECT_EQ(watch.Look().verdicts, 1u);
}

TEST_F(CodeVerifierTest, PoisonedSamplesDisturbNoOthers) {
  const auto verifier = MakeCodeVerifier({{"timeout_s", 0.5}});
  const std::string poison[] = {"import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
                                "x = []\nwhile True: x.append(bytearray(1 << 24))",
                                "while True: print('x' * 10000)",
                                "import os, signal\nos.kill(0, signal.SIGKILL)"};
  std::atomic<int> right = 0, wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 12; ++i) {
        const bool good = i % 3 != t;
        const std::string code =
            good ? "print(sum(map(int, input().split())))" : poison[(i / 3) % 4];
        const std::string completion = "```python\n" + code + "\n```";
        const Verdict verdict = verifier->Score(
            {.prompt = "", .completion = completion, .columns = kSums, .group = 0, .index = 0});
        (good ? right : wrong) += good ? verdict.reward == 1 : verdict.reward == 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 24);
  EXPECT_EQ(wrong, 12);
}

}  // namespace
}  // namespace hone
