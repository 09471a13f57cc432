// A batch seen as flat arrays: samples in order of group and sample, tokens of all completions in
// one row.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "learner/learner.h"
#include "learner/packing.h"
#include "learner/step_batch.h"

namespace hone {

// Refers to the batch's tokens, which outlive it. B samples, N completion tokens.
class BatchArrays {
 public:
  // Samples without a reward (NaN) are masked; `mask_truncated`: so are those that ended by length.
  BatchArrays(const StepBatch& batch, bool mask_truncated);
  // Each example is a group of one sample.
  explicit BatchArrays(const std::vector<Learner::Example>& examples);

  std::span<const PackedGroup> groups() const { return groups_; }
  std::span<const int64_t> lengths() const { return lengths_B_; }
  std::span<const uint8_t> truncated() const { return truncated_B_; }
  std::span<const uint8_t> masked() const { return masked_B_; }
  int64_t judged() const { return judged_; }  // samples with a reward
  size_t tokens() const { return offsets_B_.back(); }
  uint64_t tokens_with_prompts() const;  // a prompt counted with each of its samples

  size_t Sample(int32_t group, int32_t sample) const {
    return first_sample_[group] + static_cast<size_t>(sample);
  }
  size_t length(size_t sample) const { return static_cast<size_t>(lengths_B_[sample]); }
  size_t offset(size_t sample) const { return offsets_B_[sample]; }
  std::span<const float> Slice(const std::vector<float>& values_N, size_t sample) const {
    return std::span(values_N).subspan(offset(sample), length(sample));
  }

  // The largest |difference| between these log-probabilities and those recorded with the batch;
  // nothing where none were recorded.
  std::optional<double> MaxDifference(const StepBatch& batch,
                                      const std::vector<float>& logprobs_N) const;

 private:
  void Add(std::span<const int32_t> completion, bool truncated, bool masked);

  std::vector<PackedGroup> groups_;
  std::vector<size_t> first_sample_;  // of each group
  std::vector<int64_t> lengths_B_;
  std::vector<uint8_t> truncated_B_, masked_B_;
  int64_t judged_ = 0;
  std::vector<size_t> offsets_B_ = {0};  // B + 1
};

}  // namespace hone
