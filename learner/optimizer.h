// AdamW on the flat array of parameters, with the gradient clipped by its global norm.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "common/buffer.h"
#include "common/config.h"
#include "kernels/exec.h"
#include "policy/model/weights.h"

namespace hone {

// Arrays for gradients and for the versions of the weights that come of them. A version is
// immutable while anybody holds it; when the last holder lets go (on whichever thread), its memory
// comes back here, so a run keeps as many copies as are in use at once.
class WeightsArrays {
 public:
  Buffer<float> Take(size_t size);
  // Makes a version of a filled array.
  std::shared_ptr<const Weights> Share(const WeightsLayout& layout, Buffer<float> data,
                                       uint64_t version, ThreadPool* pool);

 private:
  struct Shelf {
    std::mutex mutex;
    std::vector<Buffer<float>> free;
  };
  std::shared_ptr<Shelf> shelf_ = std::make_shared<Shelf>();
};

// Stretches of the flat array, ascending and covering it, that decay or do not. As transformers'
// Trainer has it: matrices (embeddings too) decay, norms and biases do not.
struct DecayRange {
  int64_t begin = 0, end = 0;
  bool decays = false;
};
std::vector<DecayRange> DecayRanges(const WeightsLayout& layout);

// Thread contract: one thread. `exec` only speeds it up.
class AdamWOptimizer {
 public:
  AdamWOptimizer(const OptimizerSection& settings, const WeightsLayout& layout,
                 const kernels::Exec& exec);

  // torch.nn.utils.clip_grad_norm_'s factor for this norm: min(1, max_norm / (norm + 1e-6)); 1 when
  // max_norm is 0.
  static float ClipFactor(double norm, double max_norm);
  double GradNorm(std::span<const float> grads) const;

  // Memory for a gradient, of a version that nobody holds any more where there is one; unspecified
  // contents.
  Buffer<float> TakeArray() { return arrays_.Take(static_cast<size_t>(layout_.size)); }

  // Takes the step-th step (from 1) from `current` with `grads` of norm `norm`, into a new version
  // `step`, which takes the gradient's place in memory.
  std::shared_ptr<const Weights> Step(const Weights& current, Buffer<float> grads, double norm,
                                      double learning_rate, uint64_t step);

  // First and second moments, flat as the layout.
  Buffer<float>& m() { return m_; }
  Buffer<float>& v() { return v_; }
  const Buffer<float>& m() const { return m_; }
  const Buffer<float>& v() const { return v_; }

 private:
  OptimizerSection settings_;
  const WeightsLayout& layout_;
  kernels::Exec exec_;
  std::vector<DecayRange> ranges_;
  Buffer<float> m_, v_;
  WeightsArrays arrays_;
};

}  // namespace hone
