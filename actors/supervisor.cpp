#include "actors/supervisor.h"

#include <algorithm>

#include "actors/ring_actors.h"
#include "common/log.h"

namespace hone {
namespace {

constexpr std::chrono::milliseconds kTick{20};
constexpr caf::spawn_options kOwnThread = caf::detached + caf::monitored;

}  // namespace

Supervisor::Supervisor(caf::event_based_actor* self, std::shared_ptr<Ring> ring,
                       std::shared_ptr<std::promise<RunEnd>> end)
    : self_(self), ring_(std::move(ring)), promise_(std::move(end)) {
  closed_ = ring_->session->next_batch();
}

void Supervisor::Start() {
  const caf::actor me = caf::actor_cast<caf::actor>(self_);
  broker_ = self_->spawn<kOwnThread>(BrokerActor, ring_, me);
  children_[broker_.address()] = {"broker", "broker", "broker", 1, 0, broker_};
  learner_ = self_->spawn<kOwnThread>(LearnerActor, ring_, me);
  children_[learner_.address()] = {kLearner, kLearner, kLearner, 1, 0, learner_};
  const auto start = [&](const char* role, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      Child child;
      child.role = role;
      child.place = std::string(role) + "-" + std::to_string(i);
      StartWorker(std::move(child));
    }
  };
  start(kPromptSource, 1);
  start(kRolloutWorker, ring_->options.config.rollout.workers);
  start(kRewardWorker, ring_->options.config.transport.reward_workers);
}

void Supervisor::StartWorker(Child child) {
  child.identity = child.place;
  if (child.starts > 0) child.identity += "#" + std::to_string(child.starts);
  ++child.starts;
  child.actor = self_->spawn<kOwnThread>(WorkerActor, ring_, child.role, child.identity);
  const caf::actor_addr address = child.actor.address();
  children_[address] = std::move(child);
}

void Supervisor::Tick() {
  const auto* interrupt = ring_->options.interrupt;
  if (!told_to_stop_ && !stopping_ && interrupt != nullptr && interrupt->load()) {
    told_to_stop_ = true;
    spdlog::info("interrupted: the run ends after the current step, with a checkpoint");
    self_->send(learner_, control::StopAfterBatch{});
  }
  if (stopping_ && !finished_ && Clock::now() > stop_by_) {
    for (const auto& [address, child] : children_) end_.stuck.push_back(child.identity);
    children_.clear();
    FinishIfOver();
  }
}

void Supervisor::OnDown(const caf::down_msg& down) {
  const auto entry = children_.find(down.source);
  if (entry == children_.end()) return;
  Child child = std::move(entry->second);
  children_.erase(entry);
  if (stopping_) return FinishIfOver();
  Restart(std::move(child), control::FromCaf(down.reason));
}

void Supervisor::Restart(Child child, const control::Death& death) {
  if (child.role == "broker" || child.role == kLearner) return Fail(death);
  if (death.code != ExitCode::kRunFailed) return Fail(death);
  if (++child.deaths > kMaxRestarts) {
    return Fail(
        {death.code, child.place + " died " + std::to_string(child.deaths) +
                         " times in a row without an answer; the last time: " + death.text});
  }
  spdlog::warn("{} died ({}); it is started again", child.identity, death.text);
  ++end_.restarts;
  self_->send(broker_, control::WorkerDown{child.identity, death.text});
  StartWorker(std::move(child));
}

void Supervisor::OnDelivered(const control::Delivered& delivered) {
  for (auto& [address, child] : children_) {
    if (child.identity == delivered.identity) child.deaths = 0;
  }
}

// It may only be slow, or hang: told to end, it is replaced when it has.
void Supervisor::OnLost(const control::Lost& lost) {
  for (const auto& [address, child] : children_) {
    if (child.identity != lost.identity) continue;
    spdlog::warn("{} is no longer heard: {}", lost.identity, lost.cause);
    self_->send_exit(child.actor, caf::exit_reason::kill);
  }
}

void Supervisor::OnBatchClosed(const control::BatchClosed& closed) {
  closed_ = closed.batch + 1;
  FinishIfOver();
}

void Supervisor::OnLearnerDone(const control::LearnerDone& done) {
  end_.learner = done;
  learner_done_ = true;
  FinishIfOver();
}

void Supervisor::Fail(control::Death death) {
  if (!end_.failure) end_.failure = std::move(death);
  StopAll();
}

void Supervisor::StopAll() {
  if (stopping_) return;
  stopping_ = true;
  stop_by_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(ring_->options.deadlines.stop));
  for (const auto& [address, child] : children_) {
    self_->send_exit(child.actor, caf::exit_reason::user_shutdown);
  }
  FinishIfOver();
}

void Supervisor::FinishIfOver() {
  if (!stopping_ && learner_done_ && closed_ >= end_.learner.batches) return StopAll();
  if (!stopping_ || finished_ || !children_.empty()) return;
  finished_ = true;
  promise_->set_value(std::move(end_));
  self_->quit();
}

caf::behavior SupervisorActor(caf::stateful_actor<SupervisorState>* self,
                              std::shared_ptr<Ring> ring,
                              std::shared_ptr<std::promise<RunEnd>> end) {
  self->state.supervisor = std::make_unique<Supervisor>(self, std::move(ring), std::move(end));
  Supervisor* supervisor = self->state.supervisor.get();
  // A fault of its own is the run's; all actors still end in order.
  const auto guard = [=](auto&& act) {
    try {
      act();
    } catch (...) {
      supervisor->Fail(control::FromCaf(control::ToCaf(std::current_exception())));
    }
  };
  self->set_down_handler(
      [=](const caf::down_msg& down) { guard([&] { supervisor->OnDown(down); }); });
  self->send(self, caf::tick_atom_v);
  guard([&] { supervisor->Start(); });
  return {
      [=](caf::tick_atom) {
        guard([&] { supervisor->Tick(); });
        self->delayed_send(self, kTick, caf::tick_atom_v);
      },
      [=](const control::BatchClosed& m) { guard([&] { supervisor->OnBatchClosed(m); }); },
      [=](const control::Delivered& m) { guard([&] { supervisor->OnDelivered(m); }); },
      [=](const control::Lost& m) { guard([&] { supervisor->OnLost(m); }); },
      [=](const control::WeightsRefusal&) { guard([&] { supervisor->OnWeightsRefusal(); }); },
      [=](const control::LearnerDone& m) { guard([&] { supervisor->OnLearnerDone(m); }); },
  };
}

}  // namespace hone
