#include "actors/reward_worker.h"

namespace hone {
namespace {

// Groups at one worker at once: one at work, one to go on with.
constexpr uint32_t kCapacity = 2;

}  // namespace

RewardWorker::RewardWorker(std::shared_ptr<Ring> ring, const std::string& identity)
    : Worker(std::move(ring), kRewardWorker, identity) {
  link().Send(Credit{kCapacity});
}

RewardWorker::RewardWorker(std::shared_ptr<Ring> ring, WorkerLink& remote)
    : Worker(std::move(ring), kRewardWorker, remote) {
  link().Send(Credit{kCapacity});
}

Next RewardWorker::Handle(Message message) {
  auto* group = std::get_if<RolloutGroup>(&message);
  if (group == nullptr) throw WireError("a reward worker takes groups only");
  waiting_.push_back(std::move(*group));
  return Next::kGoOn;
}

Next RewardWorker::Work(std::chrono::steady_clock::time_point deadline) {
  while (std::chrono::steady_clock::now() < deadline) {
    if (!scoring_.valid()) {
      if (waiting_.empty()) break;
      const Next next = StrikeAt(waiting_.front().task.group_id);
      if (next != Next::kGoOn) return next;
      scored_group_ = waiting_.front().task.group_id;
      scoring_ = std::async(std::launch::async, [&scorer = *ring().scorer,
                                                 group = std::move(waiting_.front())]() mutable {
        return scorer.Score(std::move(group));
      });
      waiting_.pop_front();
    }
    if (scoring_.wait_until(deadline) != std::future_status::ready) break;
    link().Send(scoring_.get());
    link().Send(Credit{1});
    link().Advance();
  }
  return Next::kGoOn;
}

std::chrono::milliseconds RewardWorker::patience() const {
  return waiting_.empty() && !scoring_.valid() ? kSlice : std::chrono::milliseconds{0};
}

std::string RewardWorker::state() const {
  if (scoring_.valid()) return "scores group " + std::to_string(scored_group_);
  return "waits for groups to score";
}

}  // namespace hone
