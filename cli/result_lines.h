// Where a command's result lines go: stdout, or a file that appears whole or not at all.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"

namespace hone {

// Thread contract: one thread. All errors are RunErrors.
class ResultLines {
 public:
  // "" or "-": stdout, each line flushed as it comes. Else a file, written beside and renamed by
  // Finish(); without Finish() nothing stays.
  explicit ResultLines(const std::string& output) {
    if (output.empty() || output == "-") return;
    path_ = output;
    beside_ = output + ".partial";
    file_ = std::make_unique<FileWriter>(beside_);
  }
  ~ResultLines() {
    if (file_ == nullptr) return;
    std::error_code ignored;
    std::filesystem::remove(beside_, ignored);
  }
  ResultLines(const ResultLines&) = delete;
  ResultLines& operator=(const ResultLines&) = delete;

  void Write(const OrderedJson& json) {
    const std::string line = Dump(json) + "\n";
    if (file_ != nullptr) {
      file_->Write(line);
    } else if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() ||
               std::fflush(stdout) != 0) {
      throw RunError(std::string("stdout: cannot write: ") + std::strerror(errno));
    }
  }

  void Finish() {
    if (file_ == nullptr) return;
    file_->Close();
    std::error_code error;
    std::filesystem::rename(beside_, path_, error);
    if (error) throw RunError(path_.string() + ": cannot write: " + error.message());
    file_.reset();
    SyncFolder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
  }

 private:
  std::filesystem::path path_, beside_;
  std::unique_ptr<FileWriter> file_;
};

}  // namespace hone
