#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <optional>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "learner/run_files.h"
#include "learner/tensorboard.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr const char* kEventFile = "events.out.tfevents.0000000000.hone";

// The lines of steps <= resume_step, up to the first that is no whole object: a write cut short.
void CutMetrics(const fs::path& path, uint64_t resume_step) {
  if (!fs::exists(path)) return;
  const std::string text = ReadFile(path);
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    const std::string line = text.substr(at, end - at);
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_unsigned()) break;
    if (json["step"].get<uint64_t>() <= resume_step) kept += line + "\n";
    at = end + 1;
  }
  if (kept != text) WriteFileAtomically(path, kept);
}

}  // namespace

class MetricsWriter::Impl {
 public:
  Impl(const fs::path& run, bool tensorboard, uint64_t resume_step) {
    const fs::path events = run / "tensorboard";
    std::error_code error;
    fs::create_directories(tensorboard ? events : run, error);
    if (error)
      throw RunError(fmt::format("{}: cannot make the folder: {}", run.string(), error.message()));
    CutMetrics(run / "metrics.jsonl", resume_step);
    lines_.emplace(run / "metrics.jsonl");
    if (tensorboard) events_.emplace(events / kEventFile, resume_step);
  }

  void Write(uint64_t step, const Metrics& metrics) {
    OrderedJson line;
    line["step"] = step;
    for (const auto& [name, value] : metrics) {
      if (std::isfinite(value)) {
        line[name] = value;
      } else {
        line[name] = nullptr;  // JSON has no NaN
      }
    }
    lines_->Append(Dump(line));
    if (events_) events_->Write(step, metrics);
  }

 private:
  std::optional<LineLog> lines_;
  std::optional<EventWriter> events_;
};

MetricsWriter::MetricsWriter(const fs::path& run, bool tensorboard, uint64_t resume_step)
    : impl_(std::make_unique<Impl>(run, tensorboard, resume_step)) {}
MetricsWriter::~MetricsWriter() = default;
void MetricsWriter::Write(uint64_t step, const Metrics& metrics) { impl_->Write(step, metrics); }

uint64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t size = 0, resident = 0;  // in pages
  in >> size >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace hone
