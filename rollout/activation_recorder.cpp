#include "rollout/activation_recorder.h"

#include <algorithm>

namespace hone {

void ActivationRecorder::Begin() {
  bytes_ = 0;
  recording_ = budget_ > 0;
}

void ActivationRecorder::Drop() {
  for (const auto& group : groups_) group->activations.reset();
  groups_.clear();
  recording_ = false;
}

void ActivationRecorder::Note(const std::vector<ScheduledRows>& scheduled) {
  if (!recording_) return;
  const std::shared_ptr<const Activations> forward = std::move(forward_);
  if (forward == nullptr) return Drop();  // a backend that keeps none
  bytes_ += static_cast<int64_t>(forward->bytes());
  if (bytes_ > budget_) return Drop();
  for (const ScheduledRows& part : scheduled) {
    Sequence& sequence = *part.sequence;
    Group& group = *sequence.group;
    if (group.activations == nullptr) {
      group.activations = std::make_shared<GroupActivations>();
      group.activations->completions.resize(group.completions.size());
      groups_.push_back(sequence.group);
    }
    auto& owners = group.activations->owners;
    if (owners.empty() || owners.back() != forward) owners.push_back(forward);
    auto& rows = sequence.activations;
    rows.resize(std::max(rows.size(), static_cast<size_t>(sequence.cached + part.rows)));
    for (int32_t i = 0; i < part.rows; ++i) {
      rows[sequence.cached + i] = {forward.get(), part.last_row - part.rows + 1 + i};
    }
  }
}

void ActivationRecorder::Finish(const Sequence& sequence) {
  const Group& group = *sequence.group;
  if (group.activations == nullptr) return;
  const auto& rows = sequence.activations;
  const auto end = std::min(rows.size(), sequence.tokens.size() - 1);  // the last token was not run
  const auto prompt = std::min(end, static_cast<size_t>(group.prompt_length));
  // Sample 0 ran the prompt for all.
  if (sequence.sample == 0) group.activations->prompt.assign(rows.begin(), rows.begin() + prompt);
  group.activations->completions[sequence.sample].assign(rows.begin() + prompt, rows.begin() + end);
}

std::shared_ptr<const GroupActivations> ActivationRecorder::Take(Group& group,
                                                                 const Hash128& fingerprint) {
  const std::shared_ptr<GroupActivations> kept = std::move(group.activations);
  if (kept == nullptr) return nullptr;
  std::erase_if(groups_, [&](const auto& other) { return other.get() == &group; });
  const auto whole = [](const std::vector<ActivationRow>& rows, size_t count) {
    return rows.size() == count &&
           std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.of != nullptr; });
  };
  if (!whole(kept->prompt, static_cast<size_t>(group.prompt_length))) return nullptr;
  for (size_t i = 0; i < group.completions.size(); ++i) {
    if (!whole(kept->completions[i], group.completions[i].tokens.size() - 1)) return nullptr;
  }
  kept->fingerprint = fingerprint;
  return kept;
}

}  // namespace hone
