// A whole run, small enough for a test: a model of a few thousand parameters, sums of one digit.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "actors/run.h"

namespace hone {

// A new folder, removed with all it holds at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A model folder and a data file that rings of one test share.
class TinyRing {
 public:
  TinyRing();

  // A run of 4 steps with 5 prompts × 3 samples in its own folder.
  RunOptions Options(const std::string& name) const;
  std::filesystem::path Folder(const std::string& name) const { return place_.path() / name; }
  const std::filesystem::path& path() const { return place_.path(); }

 private:
  TemporaryFolder place_;
};

// A verifier that is a program: sleeps for `sleep_s` at each sample, and gives its group's number
// plus its own. `options` are its keys beside that one.
RewardConfig SleepingVerifier(const std::filesystem::path& folder, double sleep_s,
                              Json options = Json::object());

// What must be the same bytes in equal runs, by name: traces and the files of the newest
// checkpoint.
std::map<std::string, std::string> Bits(const std::filesystem::path& run);

// Every line of a run's ledger; checks that each is closed and adds up.
struct LedgerTotals {
  uint64_t lines = 0, trained = 0, reissued = 0, duplicates = 0;
};
LedgerTotals CheckedLedger(const std::filesystem::path& run, uint64_t groups_per_batch);

}  // namespace hone
