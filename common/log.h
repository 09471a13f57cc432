// The log: spdlog to stderr (and, in a run, to log.txt). Results never go through it.
#pragma once

#include <spdlog/spdlog.h>

#include <filesystem>

namespace hone {

// Logs at `level` ("debug", "info", "warn", "error") to stderr. Called once, at the start of a
// command.
void StartLog(const std::string& level = "info");
// Besides, appends everything from debug level up to a file; what stderr shows stays as it is.
void LogToFile(const std::filesystem::path& path);

}  // namespace hone
