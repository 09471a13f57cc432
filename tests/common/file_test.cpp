#include "common/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/error.h"

namespace hone {
namespace {
namespace fs = std::filesystem;

struct FileTest : ::testing::Test {
  fs::path folder = fs::temp_directory_path() / ("hone_file_test_" + std::to_string(::getpid()));
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }
};

TEST_F(FileTest, WritesAndReadsBackAndLeavesNothingBeside) {
  WriteFileAtomically(folder / "a", "one");
  WriteFileAtomically(folder / "a", "two");
  EXPECT_EQ(ReadFile(folder / "a"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(FileTest, MissingFileIsABadFileNamingThePath) {
  try {
    ReadFile(folder / "none");
    FAIL();
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadFile);
    EXPECT_NE(std::string(error.what()).find("none"), std::string::npos);
  }
  EXPECT_THROW(MappedFile{folder}, FileError);
}

TEST_F(FileTest, FolderAppearsWholeAndReplacesWhole) {
  WriteFolderAtomically(folder / "c", [](const fs::path& at) { FileWriter(at / "x").Write("1"); });
  WriteFolderAtomically(folder / "c/", [](const fs::path& at) { FileWriter(at / "y").Write("2"); });
  EXPECT_FALSE(fs::exists(folder / "c/x"));
  EXPECT_EQ(ReadFile(folder / "c/y"), "2");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(FileTest, AFolderThatFailsToFillLeavesTheOldOne) {
  WriteFolderAtomically(folder / "c", [](const fs::path& at) { FileWriter(at / "x").Write("1"); });
  EXPECT_THROW(
      WriteFolderAtomically(folder / "c", [](const fs::path&) { throw RunError("disk full"); }),
      RunError);
  EXPECT_EQ(ReadFile(folder / "c/x"), "1");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(FileTest, ALineLogGoesOnWhereTheFileEnds) {
  for (const char* line : {"one", "two"}) {
    LineLog log(folder / "log");
    log.Append(line);
    log.Sync();
  }
  EXPECT_EQ(ReadFile(folder / "log"), "one\ntwo\n");
  EXPECT_THROW(LineLog(folder / "none/log"), RunError);
  LineLog full("/dev/full");
  EXPECT_THROW(full.Append("three"), RunError);
}

TEST_F(FileTest, FullDeviceIsARunErrorWithTheReason) {
  try {
    FileWriter writer("/dev/full");
    writer.Write("x");
    FAIL();
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone
