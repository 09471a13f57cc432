#include "actors/open_batch.h"

namespace hone {

std::optional<std::string> OpenBatch::Check(const PromptTask& task) const {
  const std::string group = "task " + std::to_string(task.group_id);
  if (task.step != credit_.step || task.version != credit_.version) {
    return group + " is of batch " + std::to_string(task.step) + " and version " +
           std::to_string(task.version) + " instead of batch " + std::to_string(credit_.step) +
           " and version " + std::to_string(credit_.version);
  }
  if (task.num_generations != num_generations_) {
    return group + " asks for " + std::to_string(task.num_generations) + " samples instead of " +
           std::to_string(num_generations_);
  }
  return std::nullopt;
}

std::optional<std::string> OpenBatch::Check(const RolloutGroup& group) const {
  const std::string name = "group " + std::to_string(group.task.group_id);
  const auto payload = payloads_.find(group.task.group_id);
  if (payload == payloads_.end()) return name + " was never asked for";
  const PromptTask& task = payload->second.task;
  if (group.task.step != task.step || group.task.version != task.version ||
      group.task.prompt_tokens != task.prompt_tokens || group.task.columns != task.columns ||
      group.completions.size() != static_cast<size_t>(task.num_generations)) {
    return name + " came back with another task than was given";
  }
  for (const Completion& completion : group.completions) {
    if (completion.version != task.version) {
      return name + " was sampled by version " + std::to_string(completion.version) +
             " of the weights instead of " + std::to_string(task.version);
    }
    if (completion.fingerprint != weights_) {
      return name + " was sampled by weights with the fingerprint " + completion.fingerprint.Hex() +
             " instead of " + weights_.Hex();
    }
  }
  return std::nullopt;
}

void OpenBatch::Add(PromptTask task, Frames frames) {
  Payload& payload = payloads_[task.group_id];
  payload.task = std::move(task);
  payload.task_frames = std::move(frames);
}

void OpenBatch::Add(const RolloutGroup& group, Frames frames) {
  payloads_.at(group.task.group_id).rollout_frames = std::move(frames);
}

void OpenBatch::Add(ScoredGroup group) {
  Payload& payload = payloads_.at(group.rollout.task.group_id);
  payload.scored = std::move(group);
  payload.scored.rollout = std::get<RolloutGroup>(Decode(payload.rollout_frames));
}

Frames OpenBatch::Task(uint64_t group) { return Share(payloads_.at(group).task_frames); }

Frames OpenBatch::Rollout(uint64_t group) { return Share(payloads_.at(group).rollout_frames); }

StepBatch OpenBatch::Take(const std::vector<uint64_t>& groups) {
  StepBatch batch;
  batch.step = credit_.step;
  for (const uint64_t group : groups) batch.groups.push_back(std::move(payloads_.at(group).scored));
  return batch;
}

}  // namespace hone
