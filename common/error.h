// Errors that end a command, and the exit code each stands for.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace hone {

enum class ExitCode : int {
  kOk = 0,
  kRunFailed = 1,
  kUsage = 2,    // wrong command line or config
  kBadFile = 3,  // a file that cannot be read or is not what it claims to be
  kInterrupted = 130,
};

// Base of all errors of hone. The message says what was expected, what was found, where, and what
// to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// The run cannot go on: exit code 1.
struct RunError : Error {
  explicit RunError(const std::string& message) : Error(ExitCode::kRunFailed, message) {}
};

// Wrong usage or config: exit code 2.
struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};

// A bad input file: exit code 3. `where` is the place in the file ("line 7", "byte 120", "tensor
// model.norm.weight"), or empty for the whole file.
struct FileError : Error {
  FileError(const std::string& path, const std::string& where, const std::string& message)
      : Error(ExitCode::kBadFile, path + (where.empty() ? "" : ": " + where) + ": " + message) {}
};

}  // namespace hone
