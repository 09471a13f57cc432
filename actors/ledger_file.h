// ledger.jsonl: the account of every generation batch, and the verdicts that only a clock can
// bound.
//
// A line is a batch, written when it is closed:
//   {"step","groups":[first,last],"issued","generated","scored","trained","dropped":{},"reissued",
//   "duplicates","closed":true}
// or what one such verifier gave to one group, written when the verdicts are accepted:
//   {"verdicts":{"group","verifier","judged","rewards":[number or
//   null],"errors":[{"sample","cause", "reason"}]}}
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "actors/ledger.h"
#include "common/file.h"
#include "reward/scored_group.h"

namespace hone {

std::string LedgerText(const LedgerLine& line);
std::string LedgerText(uint64_t group, const VerdictRecord& record);

// Of groups that are to be made anew.
using KnownRecords = std::map<uint64_t, std::vector<VerdictRecord>>;

class LedgerFile {
 public:
  // Goes on after `batches` generation batches of `groups_per_batch` groups each: lines of later
  // batches are cut, but not verdicts on their groups. A run may be killed between a batch's
  // checkpoint and its line; the checkpoint proves that all groups up to it were trained, so a line
  // that is missing is written again from that. Throws FileError when a line before is not the
  // ledger's, RunError when the file cannot be written.
  LedgerFile(const std::filesystem::path& run, uint64_t batches, uint64_t groups_per_batch);

  void Append(const LedgerLine& line);

  // What was recorded on a group before this run went on; nothing once its batch is closed.
  const std::vector<VerdictRecord>& Known(uint64_t group) const;
  // Appends the record unless it is known. Warns when what is known is of something else.
  void Record(uint64_t group, const VerdictRecord& record);
  // Returns when all records are on disk.
  void SyncRecords();

 private:
  KnownRecords known_;
  LineLog log_;
  bool synced_ = true;
  bool warned_ = false;
};

}  // namespace hone
