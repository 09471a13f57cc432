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

}  // namespace
}  // namespace hone
