#include "actors/prompt_source.h"

namespace hone {

PromptSource::PromptSource(std::shared_ptr<Ring> ring, const std::string& identity)
    : Worker(ring, kPromptSource, identity),
      order_(ring->options.config.run.seed, static_cast<int64_t>(ring->rows.size()),
             ring->options.config.data.shuffle) {}

Next PromptSource::Handle(Message message) {
  const auto* credit = std::get_if<BatchCredit>(&message);
  if (credit == nullptr) throw WireError("a prompt source takes credits only");
  if (credit->groups > 0) credits_.push_back(*credit);
  return Next::kGoOn;
}

Next PromptSource::Work(std::chrono::steady_clock::time_point deadline) {
  while (!credits_.empty() && std::chrono::steady_clock::now() < deadline) {
    BatchCredit& credit = credits_.front();
    const uint64_t group = credit.first_group;
    const Next next = StrikeAt(group);
    if (next != Next::kGoOn) return next;
    const PromptRow& row = ring().rows[static_cast<size_t>(order_.Row(group))];
    PromptTask task;
    task.group_id = group;
    task.step = credit.step;
    task.version = credit.version;
    task.num_generations = static_cast<int32_t>(ring().options.config.rollout.num_generations);
    task.prompt_tokens = row.prompt_tokens;
    task.prompt = row.prompt;
    task.columns = row.columns;
    link().Send(task);
    link().Advance();
    ++credit.first_group;
    if (--credit.groups == 0) credits_.pop_front();
  }
  return Next::kGoOn;
}

std::chrono::milliseconds PromptSource::patience() const {
  return credits_.empty() ? kSlice : std::chrono::milliseconds{0};
}

std::string PromptSource::state() const {
  return credits_.empty() ? "waits for credit from the learner" : "issues prompts";
}

}  // namespace hone
