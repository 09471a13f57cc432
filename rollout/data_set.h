// All rows of a config's data files: in which order, what happens at a bad one, and what is told of
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/config.h"
#include "rollout/data_file.h"

namespace hone {

struct DataReport {
  struct File {
    std::string path;
    int64_t rows = 0, kept = 0;
  };
  std::vector<File> files;
  std::map<std::string, int64_t> skipped;  // rows by reason
  std::vector<std::string> first_skipped;  // what was wrong with the first few
  std::string fingerprint;                 // of the kept rows, in order

  int64_t rows() const;
  int64_t kept() const;
};

// Calls `use` for every row of the files, in order: of the patterns as given, of a pattern (shell
// wildcards) by name, of a file as it stands there. A row at which `use` throws RowError is left
// out and counted with on_error "skip", which is logged at the end; with "stop" the error goes on.
// Throws FileError: a pattern that matches nothing, a file that cannot be read, no row that is
// kept.
DataReport ReadDataSet(const std::vector<std::string>& patterns, const std::string& on_error,
                       const RowHandler& use);

// Writes the report as data.json into a run's folder. Where one stands with another fingerprint,
// the run goes on with other rows than it began with: warned of.
void WriteDataReport(const std::filesystem::path& folder, const DataReport& report);

}  // namespace hone
