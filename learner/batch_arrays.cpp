#include "learner/batch_arrays.h"

#include <fmt/format.h>

#include <cmath>

#include "common/error.h"

namespace hone {

BatchArrays::BatchArrays(const StepBatch& batch, bool mask_truncated) {
  for (const ScoredGroup& group : batch.groups) {
    const RolloutGroup& rollout = group.rollout;
    if (group.rewards_G.size() != rollout.completions.size()) {
      throw RunError(fmt::format("group {}: {} completions, but {} rewards", rollout.task.group_id,
                                 rollout.completions.size(), group.rewards_G.size()));
    }
    first_sample_.push_back(lengths_B_.size());
    groups_.push_back({rollout.task.prompt_tokens, {}});
    for (size_t i = 0; i < rollout.completions.size(); ++i) {
      const Completion& completion = rollout.completions[i];
      if (!completion.logprobs.empty() && completion.logprobs.size() != completion.tokens.size()) {
        throw RunError(fmt::format("group {}: a completion of {} tokens with {} log-probabilities",
                                   rollout.task.group_id, completion.tokens.size(),
                                   completion.logprobs.size()));
      }
      if (!completion.entropies.empty() &&
          completion.entropies.size() != completion.tokens.size()) {
        throw RunError(fmt::format("group {}: a completion of {} tokens with {} entropies",
                                   rollout.task.group_id, completion.tokens.size(),
                                   completion.entropies.size()));
      }
      const bool truncated = completion.finish_reason == FinishReason::kLength;
      const bool judged = !std::isnan(group.rewards_G[i]);
      judged_ += judged;
      Add(completion.tokens, truncated, !judged || (truncated && mask_truncated));
    }
  }
}

BatchArrays::BatchArrays(const std::vector<Learner::Example>& examples) {
  for (const Learner::Example& example : examples) {
    first_sample_.push_back(lengths_B_.size());
    groups_.push_back({example.prompt_tokens, {}});
    Add(example.completion_tokens, false, false);
    ++judged_;
  }
}

void BatchArrays::Add(std::span<const int32_t> completion, bool truncated, bool masked) {
  groups_.back().completions.push_back(completion);
  lengths_B_.push_back(static_cast<int64_t>(completion.size()));
  truncated_B_.push_back(truncated);
  masked_B_.push_back(masked);
  offsets_B_.push_back(offsets_B_.back() + completion.size());
}

uint64_t BatchArrays::tokens_with_prompts() const {
  uint64_t sum = tokens();
  for (const PackedGroup& group : groups_) sum += group.prompt.size() * group.completions.size();
  return sum;
}

std::optional<double> BatchArrays::MaxDifference(const StepBatch& batch,
                                                 const std::vector<float>& logprobs_N) const {
  std::optional<double> most;
  size_t sample = 0;
  for (const ScoredGroup& group : batch.groups) {
    for (const Completion& completion : group.rollout.completions) {
      const std::span<const float> own = Slice(logprobs_N, sample++);
      for (size_t t = 0; t < completion.logprobs.size(); ++t) {
        const double difference = std::abs(static_cast<double>(own[t]) - completion.logprobs[t]);
        if (!(difference <= most.value_or(-1))) most = difference;  // so that a NaN is seen
      }
    }
  }
  return most;
}

}  // namespace hone
