#include "actors/learner_loop.h"

#include <utility>

#include "common/error.h"

namespace hone {

LearnerLoop::LearnerLoop(std::shared_ptr<Ring> ring, const std::string& identity)
    : ring_(std::move(ring)), session_(*ring_->session), link_(*ring_, kLearner, identity) {}

std::optional<control::LearnerDone> LearnerLoop::Slice() {
  if (!asked_) {
    // The flag is read here too: short steps would outrun the supervisor, who looks every 20 ms.
    const std::atomic<bool>* interrupt = ring_->options.interrupt;
    if (session_.done() || stop_ || (interrupt != nullptr && interrupt->load())) {
      const std::filesystem::path checkpoint = session_.Checkpoint();
      return control::LearnerDone{session_.step(), session_.next_batch(), checkpoint.string(),
                                  !session_.done()};
    }
    Publish();
  }
  if (auto message = link_.Receive(kSlice)) {
    if (auto* batch = std::get_if<BatchMessage>(&*message)) {
      Learn(std::move(*batch));
    } else if (!std::holds_alternative<Stop>(*message)) {
      throw WireError("the learner takes batches only");
    }
  }
  link_.Beat("waits for batch " + std::to_string(session_.next_batch()));
  return std::nullopt;
}

void LearnerLoop::Publish() {
  const std::shared_ptr<const Weights> weights = session_.weights();
  link_.Send(WeightsUpdate{weights});
  BatchCredit credit;
  credit.step = session_.next_batch();
  credit.version = weights->version;
  credit.first_group = credit.step * ring_->groups_per_batch();
  credit.groups = static_cast<uint32_t>(ring_->groups_per_batch());
  link_.Send(credit);
  asked_ = true;
}

void LearnerLoop::Learn(BatchMessage message) {
  const uint64_t batch = message.batch.step;
  if (batch != session_.next_batch()) {
    throw RunError("the learner got batch " + std::to_string(batch) + " instead of batch " +
                   std::to_string(session_.next_batch()));
  }
  for (const ScoredGroup& group : message.batch.groups) {
    message.batch.activations.push_back(ring_->activations.Take(group.rollout.task.group_id));
  }
  const uint64_t before = session_.step();
  const std::vector<Metrics> steps = session_.Learn(message.batch, message.times);
  link_.Send(Trained{batch});
  // The next slice asks for more: what the supervisor said meanwhile is heard before.
  asked_ = false;
  if (!ring_->options.on_step) return;
  for (size_t i = 0; i < steps.size(); ++i) ring_->options.on_step(before + i + 1, steps[i]);
}

}  // namespace hone
