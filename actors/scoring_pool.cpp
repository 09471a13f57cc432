#include "actors/scoring_pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone {

ScoringPool::~ScoringPool() {
  for (Job& job : jobs_) job.watch.Stop();
}

void ScoringPool::Start(RolloutGroup group, std::vector<VerdictRecord> known) {
  Job& job = jobs_.emplace_back();
  job.group = group.task.group_id;
  const auto score = [this, &job](RolloutGroup rollout, const std::vector<VerdictRecord>& records) {
    std::optional<ScoredGroup> scored;
    std::exception_ptr error;
    try {
      scored = scorer_.Score(std::move(rollout), records, job.watch);
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    job.scored = std::move(scored);
    job.error = error;
    job.done = true;
    finished_.notify_one();
  };
  job.thread = std::jthread(score, std::move(group), std::move(known));
}

std::optional<ScoredGroup> ScoringPool::Take(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto first = [&] {
    return std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.done; });
  };
  if (!finished_.wait_until(lock, deadline, [&] { return first() != jobs_.end(); })) {
    return std::nullopt;
  }
  std::list<Job> taken;
  taken.splice(taken.begin(), jobs_, first());
  lock.unlock();
  Job& job = taken.front();
  job.thread.join();
  if (job.error) std::rethrow_exception(job.error);
  return std::move(job.scored);
}

bool ScoringPool::GetsOn() {
  bool gets_on = false;
  for (Job& job : jobs_) {
    const ScoringWatch::View view = job.watch.Look();
    gets_on |= view.verdicts != job.verdicts || (view.works && view.seconds < view.deadline_s);
    job.verdicts = view.verdicts;
  }
  return gets_on;
}

std::string ScoringPool::Describe() const {
  constexpr size_t kShown = 4;  // the first have been at it for longest
  std::string text;
  size_t shown = 0;
  for (const Job& job : jobs_) {
    if (++shown > kShown) return text + ", …";
    const ScoringWatch::View view = job.watch.Look();
    text += fmt::format("{}group {}", text.empty() ? "" : ", ", job.group);
    if (view.verifier.empty()) continue;
    text += fmt::format(" ({}, {} verdicts so far", view.verifier, view.given);
    if (view.works) text += fmt::format("; {:.0f} s at the next", view.seconds);
    if (view.works && view.deadline_s > 0)
      text += fmt::format(", of {:.0f} s at most", view.deadline_s);
    text += view.works ? ")" : ", waits for its turn)";
  }
  return text;
}

}  // namespace hone
