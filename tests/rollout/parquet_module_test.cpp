// Parquet through the reader of all data files.
#include "rollout/parquet_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/file.h"
#include "parquet_file.h"
#include "rollout/data_file.h"
#include "tiny_policy.h"

namespace hone {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::WriteParquet;

std::vector<std::string> Read(const std::filesystem::path& path) {
  std::vector<std::string> rows;
  ForEachRow(path, [&](const RowPlace& place, const std::string& text) {
    EXPECT_EQ(place.number, static_cast<int64_t>(rows.size()) + 1);
    EXPECT_EQ(place.unit, "row");
    rows.push_back(text);
  });
  return rows;
}

std::string ErrorOf(const std::filesystem::path& path) {
  try {
    Read(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "no FileError";
}

std::filesystem::path Written(const std::string& lines, int64_t rows_per_group = 1000) {
  const auto path = TestFolder() / "rows.data";  // no name says what it is
  WriteParquet(path, lines, rows_per_group);
  return path;
}

TEST(ParquetTest, ColumnsOfEveryKindComeBackAsTheJsonThatTheyWere) {
  const std::vector<Json> rows = {
      Json::parse(
          R"({"text": "a\"\\\n\u0001é😀", "int": -9007199254740993, "float": 0.1, "yes": true,
        "list": [1, 2], "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": ""}],
        "nested": {"a": {"b": [[1], []]}}})"),
      Json::parse(R"({"text": "", "int": 7, "float": 2.0, "yes": false,
        "list": [], "messages": [], "nested": {"a": {"b": null}}})"),
      Json::parse(R"({"text": null, "int": null, "float": null, "yes": null,
        "list": null, "messages": null, "nested": null})"),
  };
  std::string lines;
  for (const Json& row : rows) lines += Dump(row) + "\n";
  const auto read = Read(Written(lines));
  ASSERT_EQ(read.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(Json::parse(read[i]), rows[i]);
  EXPECT_THAT(read[1], HasSubstr("\"float\":2.0"));
}

TEST(ParquetTest, RowsComeInOrderOverGroupsAndBatches) {
  std::string lines;
  std::vector<std::string> expected;
  for (int i = 0; i < 2000; ++i) {
    expected.push_back("{\"i\":" + std::to_string(i) + ",\"s\":\"" + std::string(i % 50, 'x') +
                       "\"}");
    lines += expected.back() + "\n";
  }
  EXPECT_EQ(Read(Written(lines, 300)), expected);
}

// Arrow takes such a text for a time when it reads the test's JSON.
TEST(ParquetTest, TimesAreText) {
  EXPECT_THAT(Read(Written("{\"when\": \"2024-05-01 10:00:00\"}\n")),
              ElementsAre("{\"when\":\"2024-05-01 10:00:00.000\"}"));
}

TEST(ParquetTest, AFileThatIsCutOrDamagedIsNamed) {
  const auto path = Written("{\"a\": 1}\n{\"a\": 2}\n");
  const std::string whole = ReadFile(path);
  for (const size_t size : {size_t{4}, size_t{12}, whole.size() / 2, whole.size() - 1}) {
    WriteFileAtomically(path, whole.substr(0, size));
    EXPECT_THAT(ErrorOf(path), AllOf(HasSubstr("rows.data"), HasSubstr("whole Parquet file")));
  }
}

TEST(ParquetTest, ErrorsOfTheHandlerPassThroughTheModule) {
  const auto path = Written("{\"a\": 1}\n{\"a\": 2}\n");
  try {
    ForEachRow(path, [](const RowPlace& place, const std::string&) {
      if (place.number == 2) place.Fail("not this one", "why");
    });
    FAIL();
  } catch (const RowError& error) {
    EXPECT_EQ(error.reason, "why");
    EXPECT_THAT(error.what(), HasSubstr("row 2: not this one"));
  }
}

TEST(ParquetTest, StandardInputIsNoPlaceForIt) {
  const auto source = OpenBytes(Written("{\"a\": 1}\n"));
  EXPECT_THROW(ForEachRow(*source, "standard input", [](const RowPlace&, const std::string&) {}),
               FileError);
}

}  // namespace
}  // namespace hone
