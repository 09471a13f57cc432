// The flags that every job has which runs from a TOML file: CONFIG, --set, --resume, --threads.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "cli/jobs.h"

namespace hone {

using Job = std::function<std::filesystem::path(const RunConfig&, const JobOptions&)>;
void AddJobCommand(CLI::App& program, Command kind, const std::string& name,
                   const std::string& about, Job job);

}  // namespace hone
