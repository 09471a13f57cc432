#include <cstring>

#include "common/file.h"
#include "hostile_bytes.h"
#include "parquet_file.h"

namespace hone {
namespace {

TEST(HostileParquetTest, MutatedFilesAreReadOrRefusedByName) {
  const auto path = TestFolder() / "whole";
  testing::WriteParquet(path, testing::ExampleRows(), 15);
  testing::ExpectMutantsAreReadOrRefused({ReadFile(path)}, 4000);
}

// Damage where it tells most: in the footer, which says where everything is and how much of it.
TEST(HostileParquetTest, MutatedFootersAreReadOrRefusedByName) {
  const auto path = TestFolder() / "whole", mutant = TestFolder() / "mutant";
  testing::WriteParquet(path, testing::ExampleRows(), 15);
  const std::string whole = ReadFile(path);
  uint32_t footer = 0;
  std::memcpy(&footer, whole.data() + whole.size() - 8, 4);
  const size_t begin = whole.size() - 8 - footer;
  for (uint32_t i = 0; i < 4000; ++i) {
    PhiloxSequence draw(1, {Purpose::kGenerateData, i, 0, 0});
    std::string bytes = whole;
    for (uint32_t change = draw.Below(4); change < 4; ++change)
      bytes[begin + draw.Below(footer)] = static_cast<char>(draw.Next());
    testing::WriteAnew(mutant, bytes);
    try {
      ForEachRow(mutant, [](const RowPlace& place, const std::string& text) {
        try {
          ParseRow(place, text);
        } catch (const RowError&) {
        }
      });
    } catch (const FileError&) {
    }
  }
}

}  // namespace
}  // namespace hone
