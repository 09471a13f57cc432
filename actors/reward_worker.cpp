#include "actors/reward_worker.h"

namespace hone {

RewardWorker::RewardWorker(std::shared_ptr<Ring> shared, const std::string& identity)
    : Worker(std::move(shared), kRewardWorker, identity), pool_(*ring().scorer) {
  AskForGroups();
}

RewardWorker::RewardWorker(std::shared_ptr<Ring> shared, WorkerLink& remote)
    : Worker(std::move(shared), kRewardWorker, remote), pool_(*ring().scorer), remote_(true) {
  AskForGroups();
}

// One more than it scores at once, to go on with.
void RewardWorker::AskForGroups() {
  link().Send(Credit{static_cast<uint32_t>(pool_.slots() + 1)});
}

Next RewardWorker::Handle(Message message) {
  if (auto* known = std::get_if<KnownVerdicts>(&message)) {
    known_[known->group_id] = std::move(known->records);
  } else if (auto* group = std::get_if<RolloutGroup>(&message)) {
    waiting_.push_back(std::move(*group));
  } else {
    throw WireError("a reward worker takes groups and verdicts on them only");
  }
  return Next::kGoOn;
}

Next RewardWorker::StartWaiting() {
  while (!waiting_.empty() && !pool_.full()) {
    RolloutGroup group = std::move(waiting_.front());
    waiting_.pop_front();
    const Next next = StrikeAt(group.task.group_id);
    if (next != Next::kGoOn) return next;
    auto known = known_.extract(group.task.group_id);
    pool_.Start(std::move(group),
                known.empty() ? std::vector<VerdictRecord>{} : std::move(known.mapped()));
  }
  return Next::kGoOn;
}

Next RewardWorker::Work(std::chrono::steady_clock::time_point deadline) {
  try {
    do {
      const Next next = StartWaiting();
      if (next != Next::kGoOn) return next;
      if (pool_.idle()) break;
      std::optional<ScoredGroup> scored = pool_.Take(deadline);
      if (!scored) break;
      link().Send(std::move(*scored));
      link().Send(Credit{1});
      link().Advance();
    } while (std::chrono::steady_clock::now() < deadline);
  } catch (const OnErrorStop& stop) {
    if (remote_) throw;  // the end of its process; the run's groups go to others
    // Another worker might judge otherwise; the config says that this is the end.
    link().Send(Fault{stop.code(), stop.what()});
  }
  if (pool_.GetsOn()) link().Advance();
  return Next::kGoOn;
}

std::chrono::milliseconds RewardWorker::patience() const {
  return waiting_.empty() && pool_.idle() ? kSlice : std::chrono::milliseconds{0};
}

std::string RewardWorker::state() const {
  if (pool_.idle()) return "waits for groups to score";
  return "scores " + pool_.Describe();
}

}  // namespace hone
