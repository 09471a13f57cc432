#include "rollout/data_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>

#include <algorithm>
#include <memory>

#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr size_t kFirstSkipped = 5;

// Sorted by bytes, so that the order is the same in every locale.
std::vector<std::string> Matches(const std::string& pattern) {
  if (fs::exists(pattern)) return {pattern};  // a name may hold wildcards
  glob_t found{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> guard(&found, ::globfree);
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::sort(paths.begin(), paths.end());
  if (paths.empty() && pattern.find_first_of("*?[") != std::string::npos)
    throw FileError(pattern, "", "expected files that match this pattern, found none");
  if (paths.empty()) paths.push_back(pattern);  // to be missed by its name
  return paths;
}

// XXH3 of the chain: what came before, and this row.
void Extend(Hash128* hash, const std::string& text) {
  const Hash128 row = HashBytes(text.data(), text.size());
  const uint64_t words[4] = {hash->high, hash->low, row.high, row.low};
  *hash = HashBytes(words, sizeof(words));
}

std::string Counts(const std::map<std::string, int64_t>& skipped) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : skipped) parts.push_back(fmt::format("{} {}", count, reason));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

int64_t DataReport::rows() const {
  int64_t sum = 0;
  for (const File& file : files) sum += file.rows;
  return sum;
}

int64_t DataReport::kept() const {
  int64_t sum = 0;
  for (const File& file : files) sum += file.kept;
  return sum;
}

DataReport ReadDataSet(const std::vector<std::string>& patterns, const std::string& on_error,
                       const RowHandler& use) {
  DataReport report;
  Hash128 hash;
  for (const std::string& pattern : patterns) {
    for (const std::string& path : Matches(pattern)) {
      DataReport::File& file = report.files.emplace_back(DataReport::File{path});
      ForEachRow(path, [&](const RowPlace& place, const std::string& text) {
        ++file.rows;
        try {
          use(place, text);
        } catch (const RowError& error) {
          if (on_error != "skip") throw;
          ++report.skipped[error.reason];
          if (report.first_skipped.size() < kFirstSkipped)
            report.first_skipped.emplace_back(error.what());
          return;
        }
        ++file.kept;
        Extend(&hash, text);
      });
    }
  }
  report.fingerprint = hash.Hex();
  if (!report.skipped.empty()) {
    spdlog::warn("data: {} of {} rows are skipped ({}); the first: {}",
                 report.rows() - report.kept(), report.rows(), Counts(report.skipped),
                 fmt::join(report.first_skipped, "; "));
  }
  if (report.kept() == 0) {
    throw FileError(
        fmt::format("{}", fmt::join(patterns, ", ")), "",
        report.rows() == 0
            ? "expected at least one row, found none"
            : fmt::format("expected at least one row that can be used, found none in {}",
                          report.rows()));
  }
  return report;
}

void WriteDataReport(const fs::path& folder, const DataReport& report) {
  const fs::path path = folder / "data.json";
  if (fs::exists(path)) {
    const Json before = ReadJson(path);
    if (before.is_object() && before.value("fingerprint", Json()) != Json(report.fingerprint)) {
      spdlog::warn(
          "the data's rows are not those that the run began with ({}): from here on its "
          "prompts differ from an undisturbed run's",
          path.string());
    }
  }
  OrderedJson json;
  json["rows"] = report.rows();
  json["kept"] = report.kept();
  json["fingerprint"] = report.fingerprint;
  for (const DataReport::File& file : report.files)
    json["files"].push_back({{"path", file.path}, {"rows", file.rows}, {"kept", file.kept}});
  json["skipped"] = report.skipped;
  json["first_skipped"] = report.first_skipped;
  WriteFileAtomically(path, json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

}  // namespace hone
