// The rows of a data file, one at a time: JSON Lines or one JSON array, each also packed by gzip or
// zstd, or Parquet. What a file is, its first bytes say. In memory is one row, or a few of Parquet.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "common/byte_source.h"
#include "common/error.h"
#include "common/json.h"

namespace hone {

// A row that cannot be used, in a file that can: one may go on without it (data.on_error).
struct RowError : FileError {
  RowError(const std::string& path, const std::string& where, const std::string& message,
           std::string reason_)
      : FileError(path, where, message), reason(std::move(reason_)) {}
  std::string reason;  // in few words; rows are counted by it
};

// Where a row stands: for errors that name it.
struct RowPlace {
  std::string path;    // of the file, or what else errors call the source
  std::string unit;    // "line" of JSON Lines, "row" of an array or of Parquet
  int64_t number = 0;  // from 1
  std::string where() const { return unit + " " + std::to_string(number); }
  // Throws RowError.
  [[noreturn]] void Fail(const std::string& message, const std::string& reason = "unusable") const;
};

// `text` is a JSON value, or meant to be one: ParseRow checks it.
using RowHandler = std::function<void(const RowPlace& place, const std::string& text)>;

// Calls handle for every row, in the file's order. Throws FileError for what makes the rest of the
// file unreadable (damaged or cut off data, another format, a row over kMaxLineBytes), naming the
// line or row; RunError when it is Parquet and the reader of that is not there.
void ForEachRow(const std::filesystem::path& path, const RowHandler& handle);
// The same of standard input or any other source, except for Parquet, which needs a file. `name` is
// what errors call it.
void ForEachRow(ByteSource& source, const std::string& name, const RowHandler& handle);

// The row as a JSON object. Throws RowError.
Json ParseRow(const RowPlace& place, const std::string& text);

}  // namespace hone
