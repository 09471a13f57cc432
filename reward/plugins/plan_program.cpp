// Which program a [[reward]] table means, and with which settings.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "common/error.h"
#include "common/module.h"
#include "reward/options.h"
#include "reward/plugins/child_process.h"
#include "reward/plugins/exchange.h"
#include "reward/plugins/program_verifier.h"

namespace hone {
namespace {
namespace fs = std::filesystem;

constexpr std::chrono::seconds kCheckTime{60};

// The program that loads libraries: beside the program that runs, or HONE_VERIFIER_HOST.
std::string HostPath() {
  const fs::path host = BesideProgram("hone_verifier_host", "HONE_VERIFIER_HOST");
  if (fs::exists(host)) return host.string();
  throw RunError(
      fmt::format("{}: not there; it loads verifiers from shared libraries. Build the "
                  "target hone_verifier_host, or set HONE_VERIFIER_HOST to its path",
                  host.string()));
}

// Loads the library in a process of its own, and gives the name that it has for itself.
std::string CheckLibrary(const std::vector<std::string>& argv) {
  std::vector<std::string> check = argv;
  check.push_back("--check");
  ChildProcess host(check);
  std::string line;
  switch (host.ReadLine(&line, std::chrono::steady_clock::now() + kCheckTime)) {
    case ChildProcess::Answer::kLine:
      break;
    case ChildProcess::Answer::kTimeout:
      throw UsageError(fmt::format("verifier: {}: loading it did not end within {} s", argv[1],
                                   kCheckTime.count()));
    default:
      throw UsageError(fmt::format("verifier: {}: loading it ended in {}", argv[1], host.Ending()));
  }
  const Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (answer.is_object() && answer.contains("name")) return answer["name"].get<std::string>();
  if (answer.is_object() && answer.contains("error")) {
    throw UsageError(fmt::format("verifier: {}: {}", argv[1], answer["error"].get<std::string>()));
  }
  throw UsageError(fmt::format("verifier: {}: its code wrote to standard output when loaded: {}",
                               argv[1], line.substr(0, 100)));
}

std::vector<std::string> ReadWords(const Json& words) {
  std::vector<std::string> result;
  for (const Json& word : words) {
    if (!word.is_string()) result.clear();
    if (!word.is_string()) break;
    result.push_back(word.get<std::string>());
  }
  if (!words.is_array() || result.size() != words.size()) {
    throw UsageError(fmt::format("args: expected a list of texts, found {}", Dump(words)));
  }
  return result;
}

}  // namespace

ProgramPlan PlanProgram(const RewardConfig& config) {
  const fs::path path = config.verifier;
  if (!fs::exists(path)) {
    throw UsageError(
        fmt::format("verifier: {}: no such file; expected a program, or a shared library (.so)",
                    path.string()));
  }
  const bool library = path.extension() == ".so";
  std::vector<std::string> keys = {"timeout_s", "start_timeout_s", "processes"};
  if (!library) keys.push_back("args");
  auto [settings, own] = TellApart(config.options, keys);
  const Json args = settings.value("args", Json::array());
  settings.erase("args");
  ProgramPlan plan;
  plan.options = std::move(own);
  OptionReader reader(path.string(), settings);
  plan.timeout_s = reader.Number("timeout_s", plan.timeout_s, 0.001, 86'400);
  plan.start_timeout_s = reader.Number("start_timeout_s", plan.start_timeout_s, 0, 86'400);
  plan.processes = static_cast<int>(reader.Integer("processes", plan.processes, 1, 1024));
  reader.Finish();

  plan.name = path.stem().string();
  if (library) {
    plan.argv = {HostPath(), fs::absolute(path).string(), Dump(plan.options)};
    plan.name = CheckLibrary(plan.argv);
    plan.options = Json::object();  // the host has them
    return plan;
  }
  if (access(path.c_str(), X_OK) != 0) {
    throw UsageError(
        fmt::format("verifier: {}: is no program (chmod +x makes it one)", path.string()));
  }
  plan.argv = {fs::absolute(path).string()};
  for (std::string& word : ReadWords(args)) plan.argv.push_back(std::move(word));
  return plan;
}

}  // namespace hone
