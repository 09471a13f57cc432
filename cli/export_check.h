// How `hone export` knows that a file it wrote is good: by reading it back and running it.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "policy/model/config.h"
#include "policy/model/weights.h"

namespace hone {

// The logits of a fixed batch of tokens, every row, through the exact backend: the same bits for
// the same weights on any machine.
struct Probe {
  int64_t tokens = 0;
  std::vector<float> logits_TV;
};
Probe RunProbe(const ModelConfig& config, std::shared_ptr<const Weights> weights, int threads);

// The largest difference of two probes of one config.
float MaxAbsDiff(const Probe& a, const Probe& b);

// Throws RunError naming the first tensor in which `read`, from `path`, differs from `meant`.
void CheckSameWeights(const WeightsLayout& layout, const Weights& meant, const Weights& read,
                      const std::filesystem::path& path);
// Throws RunError unless the bits are equal.
void CheckSameLogits(const Probe& meant, const Probe& read, const std::filesystem::path& path);

}  // namespace hone
