// The verifier `code` through `hone score`, as root or not, and where no sandbox can be made.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "program.h"

namespace hone {
namespace {
using ::testing::HasSubstr;

const char* const kLines =
    "{\"completion\": \"```python\\nprint(int(input()) + 1)\\n```\", "
    "\"tests\": [{\"input\": \"1\", \"output\": \"2\"}]}\n"
    "{\"completion\": \"```python\\nprint(2)\\n```\", "
    "\"tests\": {\"inputs\": [\"1\", \"2\"], \"outputs\": [\"2\", \"3\"]}}\n"
    "{\"completion\": \"```python\\ndef f(x): return x + 1\\n```\", "
    "\"tests\": [\"assert f(1) == 2\"]}\n";

bool HasNoSandbox(const Outcome& outcome) {
  return outcome.exit_code == 1 && outcome.err.find("no sandbox can be made") != std::string::npos;
}

void ExpectScores(const Outcome& outcome) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "{\"reward\":1.0,\"error\":null}\n{\"reward\":0.0,\"error\":null}\n"
            "{\"reward\":1.0,\"error\":null}\n");
}

TEST(ScoreCodeTest, ScoresProgramsFromTheCommandLine) {
  const Workplace place;
  const Outcome outcome = place.Run({"score", "--verifier", "code"}, {}, kLines);
  if (HasNoSandbox(outcome)) GTEST_SKIP() << outcome.err;
  ExpectScores(outcome);
}

TEST(ScoreCodeTest, ScoresForAUserWithoutPrivileges) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root: the other test was that user's";
  const Workplace place;
  ::chmod(place.path().c_str(), 0755);
  place.Write("lines", kLines);
  const std::string program = std::string(HONE_BINARY_DIR) + "/hone";
  const std::string command = "setpriv --reuid=1234 --regid=1234 --clear-groups " + program +
                              " score --verifier code --input " + (place / "lines").string() +
                              " >" + (place / "out").string() + " 2>" + (place / "err").string();
  const int status = std::system(command.c_str());
  const Outcome outcome{WEXITSTATUS(status), Slurp(place / "out"), Slurp(place / "err")};
  if (outcome.exit_code == 126 || outcome.exit_code == 127) {
    GTEST_SKIP() << "another user cannot run " << program;
  }
  if (HasNoSandbox(outcome)) GTEST_SKIP() << outcome.err;
  ExpectScores(outcome);
}

TEST(ScoreCodeTest, RefusesWithoutBubblewrap) {
  const Workplace place;
  const Outcome outcome = place.Run({"score", "--verifier", "code"}, {"PATH=/nowhere"}, kLines);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("nothing runs without one"));
}

}  // namespace
}  // namespace hone
