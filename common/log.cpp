#include "common/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace hone {

void StartLog(const std::string& level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  sink->set_level(spdlog::level::from_str(level));
  auto logger = std::make_shared<spdlog::logger>("hone", sink);
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::warn);
  logger->set_pattern("%^%l%$ %v");
  spdlog::set_default_logger(logger);
}

void LogToFile(const std::filesystem::path& path) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  sink->set_level(spdlog::level::debug);
  sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::default_logger()->sinks().push_back(sink);
}

}  // namespace hone
