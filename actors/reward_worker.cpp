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

Next RewardWorker::Handle(Message message) {
  auto* group = std::get_if<RolloutGroup>(&message);
  if (group == nullptr) throw WireError("a reward worker takes groups only");
  waiting_.push_back(std::move(*group));
  return Next::kGoOn;
}

Next RewardWorker::Work(std::chrono::steady_clock::time_point deadline) {
  while (!waiting_.empty() && std::chrono::steady_clock::now() < deadline) {
    const Next next = StrikeAt(waiting_.front().task.group_id);
    if (next != Next::kGoOn) return next;
    RolloutGroup group = std::move(waiting_.front());
    waiting_.pop_front();
    link().Send(ring().scorer->Score(std::move(group)));
    link().Send(Credit{1});
    link().Advance();
  }
  return Next::kGoOn;
}

std::chrono::milliseconds RewardWorker::patience() const {
  return waiting_.empty() ? kSlice : std::chrono::milliseconds{0};
}

std::string RewardWorker::state() const {
  if (waiting_.empty()) return "waits for groups to score";
  return "scores group " + std::to_string(waiting_.front().task.group_id);
}

}  // namespace hone
