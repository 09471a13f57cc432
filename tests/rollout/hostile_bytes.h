// Data files that somebody damaged, by accident or not: read or refused by name, nothing else.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/philox.h"
#include "rollout/data_file.h"
#include "tiny_policy.h"

namespace hone::testing {

inline void Mutate(std::string* bytes, PhiloxSequence& draw) {
  const uint32_t changes = 1 + draw.Below(4);
  for (uint32_t i = 0; i < changes; ++i) {
    const auto size = static_cast<uint32_t>(bytes->size());
    const uint32_t at = size == 0 ? 0 : draw.Below(size);
    switch (draw.Below(7)) {
      case 0:
        bytes->resize(at);
        break;
      case 1:
        bytes->insert(at, draw.Below(32), static_cast<char>(draw.Next()));
        break;
      case 2:
        bytes->erase(at, 1 + draw.Below(16));
        break;
      case 3:
        if (at + 4 <= size) {  // a length or an offset, of any or of extreme size
          const uint32_t word = draw.Below(2) == 0 ? draw.Next() : 0xffffffff >> draw.Below(32);
          bytes->replace(at, 4, reinterpret_cast<const char*>(&word), 4);
        }
        break;
      default:
        if (size > 0) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << draw.Below(8)));
    }
  }
}

// Removed first: to write over what was just written makes some file systems wait for the disk.
inline void WriteAnew(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

// Reads `count` mutants of each file to their end. At least some must be refused.
inline void ExpectMutantsAreReadOrRefused(const std::vector<std::string>& files, uint32_t count) {
  constexpr uint64_t kSeed = 20260101;
  const auto path = TestFolder() / "mutant";
  uint32_t refused = 0;
  for (size_t f = 0; f < files.size(); ++f) {
    for (uint32_t i = 0; i < count; ++i) {
      PhiloxSequence draw(kSeed, {Purpose::kGenerateData, f, i, 0});
      std::string bytes = files[f];
      Mutate(&bytes, draw);
      WriteAnew(path, bytes);
      try {
        ForEachRow(path, [](const RowPlace& place, const std::string& text) {
          try {
            Dump(ParseRow(place, text));
          } catch (const RowError&) {
          }
        });
      } catch (const FileError& error) {
        ++refused;
        ASSERT_NE(std::string(error.what()).find("mutant"), std::string::npos) << error.what();
      } catch (const std::exception& error) {
        FAIL() << "seed " << kSeed << ", file " << f << ", mutant " << i << ": " << error.what();
      }
    }
  }
  EXPECT_GT(refused, count / 4);
}

// What data sets hold: text with escapes, numbers, lists, messages, nothing.
inline std::string ExampleRows() {
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    lines +=
        R"({"question": "Q)" + std::to_string(i * 977) + R"( \"\u00e9\\", "answer": "x\n#### )" +
        std::to_string(i) + R"(", "nums": [)" + std::to_string(i) +
        R"(, 7], "target": 1.5, "ok": true, "none": null, "messages": [{"role": "user", "content": "c"}]})" +
        "\n";
  }
  return lines;
}

}  // namespace hone::testing
