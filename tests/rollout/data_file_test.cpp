#include "rollout/data_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "common/compression.h"
#include "common/file.h"
#include "packed_bytes.h"
#include "tiny_policy.h"

namespace hone {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Gzip;
using ::testing::HasSubstr;

// Rows as "line 1: text".
std::vector<std::string> Read(const std::string& bytes) {
  const auto path = TestFolder() / "rows";
  WriteFileAtomically(path, bytes);
  std::vector<std::string> rows;
  ForEachRow(path, [&](const RowPlace& place, const std::string& text) {
    EXPECT_EQ(place.path, path.string());
    rows.push_back(place.where() + ": " + text);
  });
  return rows;
}

std::string ErrorOf(const std::string& bytes) {
  try {
    Read(bytes);
  } catch (const FileError& error) {
    return error.what();
  }
  return "no FileError";
}

TEST(DataFileTest, RowsOfJsonLinesHaveTheNumbersOfTheirLines) {
  EXPECT_THAT(Read("{\"a\": 1}\n\n{\"b\": 2}\r\n"),
              ElementsAre("line 1: {\"a\": 1}", "line 3: {\"b\": 2}"));
  EXPECT_TRUE(Read("").empty());
}

TEST(DataFileTest, RowsOfAnArrayAreCounted) {
  const auto expected = ElementsAre("row 1: {\"a\": [1, {\"b\": \"],}\\\\\"}]}", "row 2: {\n}",
                                    "row 3: 7", "row 4: ");
  const std::string array = " \n[{\"a\": [1, {\"b\": \"],}\\\\\"}]},{\n}, 7,]\n\n";
  EXPECT_THAT(Read(array), expected);
  EXPECT_THAT(Read("\xef\xbb\xbf" + array), expected);
  EXPECT_THAT(Read(Gzip(array)), expected);
  EXPECT_TRUE(Read("[]").empty());
  EXPECT_TRUE(Read(" [\n] ").empty());
}

TEST(DataFileTest, AnArrayThatIsCutOrGoesOnIsNamedByRow) {
  EXPECT_THAT(ErrorOf("[{\"a\": 1}, {\"b\": "), AllOf(HasSubstr("row 2"), HasSubstr("middle")));
  EXPECT_THAT(ErrorOf("[{\"a\": 1}]\n{}"), HasSubstr("nothing after"));
  const std::string packed = Compress("[{\"a\": 1}, {\"b\": 2}]");
  EXPECT_THAT(ErrorOf(packed.substr(0, packed.size() - 2)),
              AllOf(HasSubstr("row "), HasSubstr("zstd")));
  EXPECT_THAT(ErrorOf(Gzip("[" + std::string(kMaxLineBytes + 1, ' '))), HasSubstr("blank"));
  EXPECT_THAT(ErrorOf(Gzip("[\"" + std::string(kMaxLineBytes + 1, 'x'))), HasSubstr("64 MiB"));
}

TEST(DataFileTest, PackedRowsAreTheSameRows) {
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "{\"i\": " + std::to_string(i) + "}\n";
  const auto plain = Read(lines);
  ASSERT_EQ(plain.size(), 5000u);
  EXPECT_EQ(Read(Gzip(lines)), plain);
  EXPECT_EQ(Read(Compress(lines)), plain);
}

TEST(DataFileTest, OtherFormatsAreNamedWithWhatToDo) {
  EXPECT_THAT(ErrorOf("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(ErrorOf("<!DOCTYPE html>"), HasSubstr("HTML"));
  EXPECT_THAT(ErrorOf("PK\x03\x04zip"), HasSubstr("zip archive"));
  EXPECT_THAT(ErrorOf("BZh91AY"), HasSubstr("bzip2"));
  EXPECT_THAT(ErrorOf("ARROW1\0\0"), HasSubstr("Arrow"));
}

TEST(DataFileTest, ARowThatIsNoObjectIsARowError) {
  const RowPlace place{"f.jsonl", "line", 3};
  EXPECT_EQ(ParseRow(place, "{\"a\": 1}").at("a"), 1);
  for (const std::string text : {"{", "7", "", "{\"a\": \"\xff\"}"}) {
    try {
      ParseRow(place, text);
      ADD_FAILURE() << text;
    } catch (const RowError& error) {
      EXPECT_EQ(error.reason, "no JSON object");
      EXPECT_THAT(error.what(), HasSubstr("f.jsonl: line 3: expected"));
    }
  }
}

}  // namespace
}  // namespace hone
