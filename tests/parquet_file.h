// Writes Parquet for tests, with Arrow as any user's Python does.
#pragma once

#include <filesystem>
#include <string>

namespace hone::testing {

// The rows of JSON Lines as a Parquet file; columns and their types are those that Arrow finds in
// them. Throws std::runtime_error.
void WriteParquet(const std::filesystem::path& path, const std::string& json_lines,
                  int64_t rows_per_group = 1000);

}  // namespace hone::testing
