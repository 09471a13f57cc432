#include "actors/worker.h"

#include "actors/prompt_source.h"
#include "actors/reward_worker.h"
#include "actors/rollout_worker.h"
#include "common/error.h"

namespace hone {

using Clock = std::chrono::steady_clock;

WorkerLink::WorkerLink(Ring& ring, const std::string& role, const std::string& identity,
                       const std::string& version)
    : identity_(identity),
      socket_(ring.context, ring.options.address, identity, ring.socket),
      heard_(Clock::now()) {
  Send(Hello{role, version});
}

void WorkerLink::Send(const Message& message) {
  if (std::holds_alternative<ScoredGroup>(message)) ++groups_scored_;
  socket_.Send(Encode(message));
}

std::optional<Message> WorkerLink::Receive(std::chrono::milliseconds wait) {
  std::optional<Frames> frames = socket_.Receive(wait);
  if (!frames) return std::nullopt;
  heard_ = Clock::now();
  Message message = Decode(*frames);
  if (!std::holds_alternative<Heartbeat>(message)) Advance();
  return message;
}

double WorkerLink::silence() const {
  return std::chrono::duration<double>(Clock::now() - heard_).count();
}

void WorkerLink::Beat(const std::string& state) {
  const auto now = Clock::now();
  if (now < next_beat_) return;
  next_beat_ = now + std::chrono::seconds(1);
  Send(Heartbeat{progress_, state});
}

Next Worker::Slice() {
  try {
    return SliceOnce();
  } catch (const Error& error) {
    // Wrong config and bad files do not get better by another start.
    if (error.code() != ExitCode::kRunFailed) link_.Send(Fault{error.code(), error.what()});
    throw;
  }
}

Next Worker::SliceOnce() {
  const auto deadline = Clock::now() + kSlice;
  auto wait = patience();
  while (auto message = link_.Receive(wait)) {
    wait = std::chrono::milliseconds{0};
    if (std::holds_alternative<Stop>(*message)) return Next::kDone;
    if (const auto* refused = std::get_if<Refused>(&*message)) {
      throw RunError("the run no longer hears this worker: " + refused->text);
    }
    if (std::holds_alternative<Heartbeat>(*message)) continue;  // the broker lives
    const Next next = Handle(std::move(*message));
    if (next != Next::kGoOn) return next;
    if (Clock::now() >= deadline) break;
    wait = lull();
  }
  const Next next = Work(deadline);
  link_.Beat(state());
  return next;
}

Next Worker::StrikeAt(uint64_t group) {
  const auto fault = ring_->faults.Take(role_, group);
  if (!fault) return Next::kGoOn;
  if (*fault == InjectedFault::Kind::kDie) return Next::kKilled;
  throw RunError("injected fault at group " + std::to_string(group));
}

std::unique_ptr<Worker> MakeWorker(const std::string& role, std::shared_ptr<Ring> ring,
                                   const std::string& identity) {
  if (role == kPromptSource) return std::make_unique<PromptSource>(std::move(ring), identity);
  if (role == kRolloutWorker) return std::make_unique<RolloutWorker>(std::move(ring), identity);
  if (role == kRewardWorker) return std::make_unique<RewardWorker>(std::move(ring), identity);
  throw UsageError("no worker has the role " + role);
}

}  // namespace hone
