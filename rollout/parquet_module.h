// The reader of Parquet files lives in a module of its own (libhone_parquet.so), so that a command
// that reads none starts without loading Arrow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace hone {

struct ParquetSink {
  // A row as a JSON object, and its number, from 1.
  std::function<void(const std::string& text, int64_t number)> row;
  // A column that has no place in JSON (bytes, such as images); said before the first row.
  std::function<void(const std::string& column, const std::string& type)> left_out;
};

// Loads the module at the first call: from the file that HONE_PARQUET_MODULE names when it is set,
// else from libhone_parquet.so beside the program. Rows come in the file's order; in memory are a
// page of each column and a few rows. Throws RunError without the module, FileError for a file that
// is no Parquet, damaged, or needs more than kParquetMemoryBytes to read.
void ForEachParquetRow(const std::filesystem::path& path, const ParquetSink& sink);
inline constexpr int64_t kParquetMemoryBytes = int64_t{2} << 30;

// The module's one entry.
using ParquetReader = void (*)(const std::filesystem::path*, const ParquetSink*);
inline constexpr const char* kParquetReader = "hone_for_each_parquet_row";

}  // namespace hone
