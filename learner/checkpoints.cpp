#include "learner/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "common/error.h"
#include "common/log.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-";

fs::path FolderOf(const fs::path& run) { return run / "checkpoints"; }

// The checkpoints there are, whole or not, newest first.
std::vector<std::pair<uint64_t, fs::path>> Listed(const fs::path& run) {
  std::vector<std::pair<uint64_t, fs::path>> found;
  if (!fs::is_directory(FolderOf(run))) return found;
  for (const auto& entry : fs::directory_iterator(FolderOf(run))) {
    const std::string name = entry.path().filename().string();
    const std::string digits = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : "";
    if (digits.empty() || digits.size() > 18 ||
        digits.find_first_not_of("0123456789") != std::string::npos)
      continue;
    if (entry.is_directory()) found.emplace_back(std::stoull(digits), entry.path());
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

// Renamed before it is removed: a removal cut short must not leave what looks like a checkpoint.
void Hide(const fs::path& checkpoint) {
  const fs::path hidden =
      checkpoint.parent_path() / ("." + checkpoint.filename().string() + ".partial");
  fs::remove_all(hidden);
  fs::rename(checkpoint, hidden);
}

void RemoveHidden(const fs::path& run) {
  if (!fs::is_directory(FolderOf(run))) return;
  std::vector<fs::path> hidden;
  for (const auto& entry : fs::directory_iterator(FolderOf(run))) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("." + std::string(kPrefix)) && name.ends_with(".partial"))
      hidden.push_back(entry.path());
  }
  for (const fs::path& path : hidden) fs::remove_all(path);
}

void Removing(const std::function<void()>& remove) {
  try {
    remove();
  } catch (const fs::filesystem_error& error) {
    throw RunError(fmt::format("{}: cannot remove an old checkpoint: {}", error.path1().string(),
                               error.code().message()));
  }
}

}  // namespace

fs::path CheckpointPath(const fs::path& run, uint64_t step) {
  return FolderOf(run) / fmt::format("{}{:06}", kPrefix, step);
}

std::optional<fs::path> NewestCheckpoint(const fs::path& run) {
  const auto listed = Listed(run);
  for (const auto& [step, path] : listed) {
    try {
      VerifyCheckpoint(path);
      return path;
    } catch (const FileError& error) {
      spdlog::warn("passing over a damaged checkpoint: {}", error.what());
    }
  }
  if (listed.empty()) return std::nullopt;
  throw FileError(FolderOf(run).string(), "",
                  "expected at least one whole checkpoint, found only damaged ones: remove the "
                  "folder to start from the beginning");
}

void PruneCheckpoints(const fs::path& run, int64_t keep) {
  const auto listed = Listed(run);
  Removing([&] {
    for (size_t i = keep > 0 ? static_cast<size_t>(keep) : listed.size(); i < listed.size(); ++i) {
      Hide(listed[i].second);
    }
    RemoveHidden(run);
  });
}

void RemoveCheckpointsAfter(const fs::path& run, uint64_t step) {
  Removing([&] {
    for (const auto& [number, path] : Listed(run)) {
      if (number > step) Hide(path);
    }
    RemoveHidden(run);
  });
}

}  // namespace hone
