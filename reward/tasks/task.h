// Procedural tasks: problems that are made, not collected, so that there are always more of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"

namespace hone {

struct Problem {
  OrderedJson columns;        // the data line: "prompt" and what the verifier needs
  std::string demonstration;  // a completion in R1's format; may be wrong on purpose
};

// A problem is a pure function of (seed, ordinal). Thread contract: immutable.
class Task {
 public:
  virtual ~Task() = default;
  // Draws at Purpose::kGenerateData and kDemonstration with the ordinal as group. The columns are
  // the same whatever the options of demonstrations. Throws UsageError when the options allow no
  // problem.
  virtual Problem Make(uint64_t seed, uint64_t ordinal) const = 0;
  // No more than so many different problems exist.
  virtual double max_problems() const = 0;
};

std::vector<std::string> TaskNames();  // arithmetic, countdown
// Throws UsageError for an unknown task or option, with the nearest.
std::unique_ptr<Task> MakeTask(const std::string& name, const Json& options);

struct DataRequest {
  std::string task;
  int64_t count = 0;
  uint64_t seed = 0;
  Json options = Json::object();
  bool demonstrations = false;                 // add the column "completion"
  std::vector<std::filesystem::path> exclude;  // data files whose prompts are left out
};

// `count` problems with different prompts as JSON Lines: those of ordinals 0, 1, 2 … but for what
// occurred before or is excluded. Throws UsageError when there are not so many, FileError for a bad
// excluded file.
std::string MakeData(const DataRequest& request);

}  // namespace hone
