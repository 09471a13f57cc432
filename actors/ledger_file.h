// ledger.jsonl: one line a generation batch, written when it is closed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "actors/ledger.h"
#include "common/file.h"

namespace hone {

// {"step","groups":[first,last],"issued","generated","scored","trained","dropped":{},"reissued",
// "duplicates","closed":true}
std::string LedgerText(const LedgerLine& line);

class LedgerFile {
 public:
  // Goes on after `batches` generation batches of `groups_per_batch` groups each: lines of later
  // ones are cut. A run may be killed between a batch's checkpoint and its line; the checkpoint
  // proves that all groups up to it were trained, so a line that is missing is written again from
  // that. Throws FileError when a line before is not the ledger's, RunError when the file cannot be
  // written.
  LedgerFile(const std::filesystem::path& run, uint64_t batches, uint64_t groups_per_batch);

  void Append(const LedgerLine& line) { log_.Append(LedgerText(line)); }

 private:
  LineLog log_;
};

}  // namespace hone
