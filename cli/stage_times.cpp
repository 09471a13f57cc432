#include "cli/stage_times.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone {
namespace {

constexpr const char* kStages[] = {"rollout", "reward", "learn", "sync"};
constexpr std::string_view kVerifier = "time/reward/";

}  // namespace

void StageTimes::Add(const Metrics& metrics) {
  for (const char* stage : kStages) {
    const auto time = metrics.find(std::string("time/") + stage);
    if (time != metrics.end()) stages_[stage] += time->second;
  }
  for (auto time = metrics.lower_bound(std::string(kVerifier));
       time != metrics.end() && time->first.starts_with(kVerifier); ++time) {
    verifiers_[time->first.substr(kVerifier.size())] += time->second;
  }
}

double StageTimes::seconds() const {
  double sum = 0;
  for (const auto& [stage, time] : stages_) sum += time;
  return sum;
}

double StageTimes::waited_for_verdicts() const {
  const auto reward = stages_.find("reward");
  return reward == stages_.end() ? 0 : reward->second / std::max(seconds(), 1e-9);
}

std::string StageTimes::Shares() const {
  std::string text;
  for (const char* stage : kStages) {
    const auto time = stages_.find(stage);
    if (time == stages_.end()) continue;
    text += fmt::format("{}{} {:.0f} %", text.empty() ? "" : ", ", stage,
                        100 * time->second / std::max(seconds(), 1e-9));
  }
  return text;
}

std::optional<std::string> StageTimes::RewardBottleneck() const {
  const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto longest = std::max_element(stages_.begin(), stages_.end(), less);
  const auto slowest = std::max_element(verifiers_.begin(), verifiers_.end(), less);
  if (longest == stages_.end() || longest->first != "reward" || slowest == verifiers_.end()) {
    return std::nullopt;
  }
  return fmt::format(
      "verdicts hold up this run: generation waited for them {:.0f} % of the time ({:.1f} s); the "
      "slowest verifier is {} ({:.1f} s of work, groups side by side added up)",
      100 * waited_for_verdicts(), longest->second, slowest->first, slowest->second);
}

}  // namespace hone
