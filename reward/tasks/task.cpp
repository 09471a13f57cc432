#include "reward/tasks/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "common/error.h"
#include "common/file.h"
#include "common/nearest.h"
#include "reward/tasks/arithmetic.h"
#include "reward/tasks/countdown.h"

namespace hone {
namespace {

void AddPrompts(const std::filesystem::path& path, std::unordered_set<std::string>* prompts) {
  ForEachLine(path, [&](const std::string& line, int64_t number) {
    const Json row = ParseJsonLine(line, path, number);
    if (!row.is_object() || !row.contains("prompt") || !row["prompt"].is_string()) {
      throw FileError(path.string(), fmt::format("line {}", number),
                      "expected an object with \"prompt\" as text");
    }
    prompts->insert(row["prompt"].get<std::string>());
  });
}

// How many problems in a row may turn out to be known before the task counts as exhausted. With n
// problems, the chance to miss one that is left in 40 n draws is e^-40.
double Patience(const Task& task) { return std::min(40 * task.max_problems() + 1000, 2e7); }

}  // namespace

std::vector<std::string> TaskNames() { return {"arithmetic", "countdown"}; }

std::unique_ptr<Task> MakeTask(const std::string& name, const Json& options) {
  if (name == "arithmetic") return MakeArithmeticTask(options);
  if (name == "countdown") return MakeCountdownTask(options);
  throw UsageError(fmt::format("unknown task \"{}\"{}", name, DidYouMean(name, TaskNames())));
}

std::string MakeData(const DataRequest& request) {
  const auto task = MakeTask(request.task, request.options);
  if (request.count < 1) {
    throw UsageError(fmt::format("--count: expected at least 1, found {}", request.count));
  }
  if (static_cast<double>(request.count) > task->max_problems()) {
    throw UsageError(
        fmt::format("--count: {} has at most {:.0f} problems with these options, found {}",
                    request.task, task->max_problems(), request.count));
  }
  std::unordered_set<std::string> known;
  for (const auto& path : request.exclude) AddPrompts(path, &known);
  std::string lines;
  const double patience = Patience(*task);
  double fruitless = 0;
  int64_t made = 0;
  for (uint64_t ordinal = 0; made < request.count; ++ordinal) {
    Problem problem = task->Make(request.seed, ordinal);
    if (!known.insert(problem.columns["prompt"].get<std::string>()).second) {
      if (++fruitless < patience) continue;
      throw UsageError(
          fmt::format("--count: {} has no more than {} problems with these options that "
                      "are not excluded, found {}",
                      request.task, made, request.count));
    }
    fruitless = 0;
    if (request.demonstrations) problem.columns["completion"] = problem.demonstration;
    lines += Dump(problem.columns);
    lines += '\n';
    ++made;
  }
  return lines;
}

}  // namespace hone
