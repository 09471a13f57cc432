#include "common/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "common/error.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void ThrowWrite(const fs::path& path, int error) {
  throw RunError(fmt::format("{}: cannot write: {}", path.string(), std::strerror(error)));
}

void WriteAll(int fd, const char* at, size_t size, const fs::path& path) {
  while (size > 0) {
    const ssize_t wrote = ::write(fd, at, size);
    if (wrote < 0) {
      if (errno == EINTR) continue;
      ThrowWrite(path, errno);
    }
    at += wrote;
    size -= static_cast<size_t>(wrote);
  }
}

int OpenForReading(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    throw FileError(path.string(), "", fmt::format("cannot read: {}", std::strerror(errno)));
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    throw FileError(path.string(), "", "expected a regular file");
  }
  return fd;
}

// UTF-8's is no part of the text. UTF-16's says that nothing of it can be read.
void SkipByteOrderMark(ByteSource& source) {
  const std::string_view start = source.Peek(3);
  if (start.starts_with("\xef\xbb\xbf")) source.Skip(3);
  if (start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff"))
    throw DamagedBytes("expected UTF-8 text, found UTF-16");
}

}  // namespace

std::string ReadFile(const fs::path& path) {
  const int fd = OpenForReading(path);
  std::string bytes;
  char chunk[1 << 16];
  ssize_t got;
  while ((got = ::read(fd, chunk, sizeof(chunk))) > 0)
    bytes.append(chunk, static_cast<size_t>(got));
  const int error = errno;
  ::close(fd);
  if (got < 0)
    throw FileError(path.string(), "", fmt::format("cannot read: {}", std::strerror(error)));
  return bytes;
}

MappedFile::MappedFile(const fs::path& path) {
  const int fd = OpenForReading(path);
  struct stat info;
  ::fstat(fd, &info);
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {
    void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (data == MAP_FAILED) {
      throw FileError(path.string(), "", fmt::format("cannot map: {}", std::strerror(error)));
    }
    data_ = static_cast<const std::byte*>(data);
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Release(std::span<const std::byte> part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(part.data()), end = begin + part.size();
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

FileWriter::FileWriter(const fs::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) ThrowWrite(path_, errno);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void FileWriter::Write(const void* data, size_t size) {
  WriteAll(fd_, static_cast<const char*>(data), size, path_);
}

void FileWriter::Close() {
  if (::fsync(fd_) != 0) ThrowWrite(path_, errno);
  const int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0) ThrowWrite(path_, errno);
}

void SyncFolder(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) ThrowWrite(path, errno);
  const int synced = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (synced != 0) ThrowWrite(path, error);
}

void WriteFileAtomically(const fs::path& path, std::string_view bytes) {
  WriteFileAtomically(path, [&](const fs::path& beside) {
    FileWriter writer(beside);
    writer.Write(bytes);
    writer.Close();
  });
}

void WriteFileAtomically(const fs::path& path, const std::function<void(const fs::path&)>& fill) {
  const fs::path beside = path.string() + ".partial";
  try {
    fill(beside);
  } catch (...) {
    ::unlink(beside.c_str());
    throw;
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) ThrowWrite(path, errno);
  SyncFolder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

void WriteFolderAtomically(const fs::path& path, const std::function<void(const fs::path&)>& fill) {
  // A trailing slash would make the "beside" names land inside the folder.
  const fs::path target = path.has_filename() ? path : path.parent_path();
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const fs::path beside = parent / ("." + target.filename().string() + ".partial");
  std::error_code ignored;
  fs::remove_all(beside, ignored);
  try {
    fs::create_directories(beside);
    fill(beside);
    for (const auto& entry : fs::recursive_directory_iterator(beside)) {
      if (entry.is_directory()) SyncFolder(entry.path());
    }
    SyncFolder(beside);
    if (!fs::exists(target)) {
      fs::rename(beside, target);
    } else if (::renameat2(AT_FDCWD, beside.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) !=
               0) {
      ThrowWrite(target, errno);
    }
    SyncFolder(parent);
  } catch (const fs::filesystem_error& error) {
    fs::remove_all(beside, ignored);
    throw RunError(fmt::format("{}: cannot write: {}", target.string(), error.code().message()));
  } catch (...) {
    fs::remove_all(beside, ignored);
    throw;
  }
  fs::remove_all(beside, ignored);  // what stood at `path` before, after the exchange
}

LineLog::LineLog(const fs::path& path)
    : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (fd_ < 0) ThrowWrite(path_, errno);
}

LineLog::~LineLog() { ::close(fd_); }

void LineLog::Append(std::string_view line) {
  std::string text(line);
  text += '\n';
  WriteAll(fd_, text.data(), text.size(), path_);
}

void LineLog::Sync() {
  if (::fdatasync(fd_) != 0) ThrowWrite(path_, errno);
}

void ForEachLine(const fs::path& path, const LineHandler& handle) {
  ForEachLine(*OpenBytes(path), path.string(), handle);
}

void ForEachLine(ByteSource& source, const std::string& name, const LineHandler& handle) {
  std::string line;
  int64_t number = 1;
  size_t since_last = 0;  // bytes since the last line that was not blank
  const auto end_line = [&] {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) {
      handle(line, number);
      since_last = 0;
    }
    line.clear();
    ++number;
  };
  const auto fail = [&](const std::string& message) {
    throw FileError(name, fmt::format("line {}", number), message);
  };
  try {
    SkipByteOrderMark(source);
    for (std::string_view part = source.Peek(); !part.empty(); part = source.Peek()) {
      const size_t newline = part.find('\n');
      const size_t taken = newline == std::string_view::npos ? part.size() : newline + 1;
      since_last += taken;
      if (since_last > kMaxLineBytes) {
        fail(line.empty() ? "expected a line, found nothing but blank"
                          : fmt::format("expected at most {} MiB in a line", kMaxLineBytes >> 20));
      }
      line.append(part.substr(0, std::min(newline, part.size())));
      source.Skip(taken);
      if (newline != std::string_view::npos) end_line();
    }
  } catch (const DamagedBytes& error) {
    fail(error.what());
  }
  if (!line.empty()) end_line();
}

}  // namespace hone
