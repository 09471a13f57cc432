#include "actors/ledger_file.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/json.h"
#include "tiny_ring.h"

namespace hone {
namespace {

LedgerLine Line(uint64_t batch, uint64_t reissued = 0) {
  LedgerLine line;
  line.step = batch + 1;
  line.first_group = batch * 4;
  line.last_group = batch * 4 + 3;
  line.issued = line.generated = line.scored = line.trained = 4;
  line.reissued = reissued;
  return line;
}

VerdictRecord Slow(const std::string& verifier, uint64_t hash = 7) {
  return {verifier,
          {hash, 8},
          {{.reward = 0.1},
           {.error = "no answer \"in\" time", .cause = ErrorCause::kTimeout},
           {.reward = -1e-30},
           {.error = "", .cause = ErrorCause::kCrash}}};
}

class LedgerFileTest : public testing::Test {
 protected:
  std::string Text() const { return ReadFile(folder_.path() / "ledger.jsonl"); }
  TemporaryFolder folder_;
};

TEST_F(LedgerFileTest, WritesOneLineABatch) {
  LedgerFile file(folder_.path(), 0, 4);
  file.Append(Line(0));
  EXPECT_EQ(Text(),
            "{\"step\":1,\"groups\":[0,3],\"issued\":4,\"generated\":4,\"scored\":4,\"trained\":4,"
            "\"dropped\":{},\"reissued\":0,\"duplicates\":0,\"closed\":true}\n");
}

TEST_F(LedgerFileTest, CutsWhatIsPastTheCheckpoint) {
  {
    LedgerFile file(folder_.path(), 0, 4);
    for (uint64_t batch = 0; batch < 5; ++batch) file.Append(Line(batch, batch));
  }
  LedgerFile file(folder_.path(), 2, 4);
  EXPECT_EQ(Text(), LedgerText(Line(0, 0)) + "\n" + LedgerText(Line(1, 1)) + "\n");
  file.Append(Line(2));
  EXPECT_EQ(Text(), LedgerText(Line(0, 0)) + "\n" + LedgerText(Line(1, 1)) + "\n" +
                        LedgerText(Line(2)) + "\n");
}

// Killed between the checkpoint and the line.
TEST_F(LedgerFileTest, WritesAgainTheLineThatTheCheckpointProves) {
  const std::string half = LedgerText(Line(1)).substr(0, 20);
  WriteFileAtomically(folder_.path() / "ledger.jsonl", LedgerText(Line(0)) + "\n" + half);
  LedgerFile file(folder_.path(), 2, 4);
  EXPECT_EQ(Text(), LedgerText(Line(0)) + "\n" + LedgerText(Line(1)) + "\n");
}

TEST_F(LedgerFileTest, NamesALineThatIsNotTheLedgers) {
  WriteFileAtomically(folder_.path() / "ledger.jsonl", LedgerText(Line(0)) + "\n{\"step\":7}\n");
  try {
    LedgerFile file(folder_.path(), 2, 4);
    FAIL() << "accepted";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
  }
}

TEST_F(LedgerFileTest, VerdictsComeBackToTheBit) {
  {
    LedgerFile file(folder_.path(), 0, 4);
    file.Record(5, Slow("slow"));
    file.Record(5, Slow("slow_2"));
    file.Record(7, Slow("slow"));
    file.SyncRecords();
  }
  LedgerFile file(folder_.path(), 0, 4);
  EXPECT_EQ(file.Known(5), (std::vector{Slow("slow"), Slow("slow_2")}));
  EXPECT_EQ(file.Known(7), std::vector{Slow("slow")});
  EXPECT_TRUE(file.Known(6).empty());
}

TEST_F(LedgerFileTest, VerdictsOnGroupsPastTheCheckpointOutliveEveryCut) {
  {
    LedgerFile file(folder_.path(), 0, 4);
    for (uint64_t batch = 0; batch < 3; ++batch) {
      file.Record(4 * batch + 1, Slow("slow"));
      file.Append(Line(batch));
    }
    file.Record(13, Slow("slow"));  // killed in the middle of the batch
  }
  const std::string first = LedgerText(1, Slow("slow")) + "\n" + LedgerText(Line(0)) + "\n";
  std::string rest;
  for (const uint64_t group : {5, 9, 13}) rest += LedgerText(group, Slow("slow")) + "\n";
  for (int resumed = 0; resumed < 2; ++resumed) {
    LedgerFile file(folder_.path(), 1, 4);
    EXPECT_EQ(Text(), first + rest);
    EXPECT_TRUE(file.Known(1).empty());
    EXPECT_EQ(file.Known(9), std::vector{Slow("slow")});
    EXPECT_EQ(file.Known(13), std::vector{Slow("slow")});
  }
  LedgerFile file(folder_.path(), 1, 4);
  file.Record(5, Slow("slow"));  // read back, and so no news
  file.Append(Line(1));
  EXPECT_EQ(Text(), first + rest + LedgerText(Line(1)) + "\n");
  EXPECT_TRUE(file.Known(5).empty());
  EXPECT_FALSE(file.Known(9).empty());
}

TEST_F(LedgerFileTest, TheLastWordOnAGroupCounts) {
  {
    LedgerFile file(folder_.path(), 0, 4);
    file.Record(5, Slow("slow", 1));
  }
  {
    LedgerFile file(folder_.path(), 0, 4);
    file.Record(5, Slow("slow", 2));  // of other completions
  }
  LedgerFile file(folder_.path(), 0, 4);
  EXPECT_EQ(file.Known(5), std::vector{Slow("slow", 2)});
}

TEST_F(LedgerFileTest, AWriteCutShortLosesTheVerdictsThatNobodyHadUsed) {
  const std::string line = LedgerText(5, Slow("slow")) + "\n";
  for (const std::string& torn :
       {line.substr(0, 40), line.substr(0, 40) + "\n" + line, std::string(100, '\0') + "\n"}) {
    WriteFileAtomically(folder_.path() / "ledger.jsonl", line + torn);
    LedgerFile file(folder_.path(), 0, 4);
    EXPECT_EQ(file.Known(5), std::vector{Slow("slow")});
    EXPECT_EQ(Text(), line);
  }
}

TEST_F(LedgerFileTest, NamesVerdictsThatAreNone) {
  for (const auto& [what, by] :
       std::vector<std::pair<std::string, std::string>>{{"\"group\":5", "\"group\":\"x\""},
                                                        {"\"timeout\"", "\"tired\""},
                                                        {"\"sample\":1", "\"sample\":99"},
                                                        {"\"sample\":1", "\"sample\":0"},
                                                        {"0.1,null", "null,null"},
                                                        {"00000007", "0000000x"}}) {
    std::string line = LedgerText(5, Slow("slow"));
    ASSERT_NE(line.find(what), std::string::npos) << line;
    line.replace(line.find(what), what.size(), by);
    WriteFileAtomically(folder_.path() / "ledger.jsonl", line + "\n");
    try {
      LedgerFile file(folder_.path(), 0, 4);
      ADD_FAILURE() << "accepted " << line;
    } catch (const FileError& error) {
      EXPECT_NE(std::string(error.what()).find("line 1: expected verdicts on a group"),
                std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace hone
