// A run's TOML file: parsed once, strictly, into validated structs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/config_fields.h"
#include "common/config.h"
#include "reward/verify.h"

namespace hone {

struct RunConfig {
  Config config;
  std::vector<RewardConfig> rewards;  // of `train`
  Verifiers verifiers;                // of the rewards, in order
  std::filesystem::path folder() const {
    return std::filesystem::path(config.run.output_dir) / config.run.name;
  }
};

// Reads `path`, then applies overrides of the form "section.key=value" (value as TOML; what is no
// TOML value is a string; rewards are "reward.0.weight=0.5"). Throws FileError when the file cannot
// be read, and UsageError with file, line, what was expected, what was found and the nearest key
// for anything wrong in it. Makes the verifiers: RunError where this machine cannot run one.
RunConfig LoadConfig(Command command, const std::filesystem::path& path,
                     const std::vector<std::string>& overrides);

// The resolved config as TOML, every default written out; LoadConfig reads it back to the same
// values.
std::string ConfigToToml(Command command, const RunConfig& run);

// The [[reward]] tables alone, for workers of other processes, which read them back: a RunConfig of
// rewards and their verifiers. Reading throws UsageError for anything wrong in them, as LoadConfig
// does; `name` stands for the file, `seed` is the run's.
std::string RewardsToToml(const std::vector<RewardConfig>& rewards);
RunConfig RewardsFromToml(const std::string& text, const std::string& name, uint64_t seed);

}  // namespace hone
