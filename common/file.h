// Reading files whole, and writing them so that a crash leaves either the old file or the new one:
// written beside, synced, renamed, and the folder synced.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/byte_source.h"

namespace hone {

// Throws FileError when the file is missing, no regular file, or unreadable.
std::string ReadFile(const std::filesystem::path& path);

// Throws RunError (with the reason of the system, e.g. no space left) and leaves what was there.
void WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes);

// The same for a file too large for memory: `fill` writes and syncs the file it is given.
void WriteFileAtomically(const std::filesystem::path& path,
                         const std::function<void(const std::filesystem::path&)>& fill);

// A read-only memory map of a whole file. Throws FileError.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Takes the whole pages within `part` out of this process's memory; touched again, they are read
  // again. For files that are gone through once and would otherwise stay resident to the end.
  void Release(std::span<const std::byte> part) const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Plain sequential writes with every error reported; for the inside of a staged folder.
// Throws RunError. Close() syncs to disk; without it the destructor only closes.
class FileWriter {
 public:
  explicit FileWriter(const std::filesystem::path& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void Write(const void* data, size_t size);
  void Write(std::string_view text) { Write(text.data(), text.size()); }
  void Close();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Fills a folder so that it appears whole or not at all: `fill` writes into a hidden folder beside
// `path`, which is then synced and renamed to `path`, replacing a folder of that name. On any error
// the hidden folder is removed, and what stood at `path` is untouched.
void WriteFolderAtomically(const std::filesystem::path& path,
                           const std::function<void(const std::filesystem::path&)>& fill);

// Appends whole lines; each Append is one write, which the system has when it returns. Throws
// RunError.
class LineLog {
 public:
  explicit LineLog(const std::filesystem::path& path);
  ~LineLog();
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  void Append(std::string_view line);  // without its newline
  void Sync();                         // to disk

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Calls handle(line, number) for every line of UTF-8 text that is not blank, without its end (\n or
// \r\n); numbers count from 1. gzip and zstd are unpacked on the way (common/byte_source.h). In
// memory is one line. Throws FileError naming the line: damaged or cut off compressed data, UTF-16,
// or nothing but blank in kMaxLineBytes, or a line of more.
using LineHandler = std::function<void(const std::string& line, int64_t number)>;
inline constexpr size_t kMaxLineBytes = size_t{64} << 20;
void ForEachLine(const std::filesystem::path& path, const LineHandler& handle);
// `name` is what errors call the source.
void ForEachLine(ByteSource& source, const std::string& name, const LineHandler& handle);

void SyncFolder(const std::filesystem::path& path);

}  // namespace hone
