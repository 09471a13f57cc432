#include "learner/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/deterministic_math.h"
#include "kernels/adamw.h"

namespace hone {

Buffer<float> WeightsArrays::Take(size_t size) {
  Buffer<float> array;
  {
    std::lock_guard lock(shelf_->mutex);
    if (!shelf_->free.empty()) {
      array = std::move(shelf_->free.back());
      shelf_->free.pop_back();
    }
  }
  array.Reserve(size);
  return array;
}

std::shared_ptr<const Weights> WeightsArrays::Share(const WeightsLayout& layout, Buffer<float> data,
                                                    uint64_t version, ThreadPool* pool) {
  const auto give_back = [shelf = shelf_](Buffer<float>* array) {
    {
      std::lock_guard lock(shelf->mutex);
      shelf->free.push_back(std::move(*array));
    }
    delete array;
  };
  const std::shared_ptr<Buffer<float>> owner(new Buffer<float>(std::move(data)), give_back);
  auto weights = std::make_shared<Weights>();
  weights->version = version;
  weights->data = std::as_const(*owner).span();
  weights->fingerprint = Fingerprint(layout, weights->data, pool);
  weights->owner = owner;
  return weights;
}

std::vector<DecayRange> DecayRanges(const WeightsLayout& layout) {
  std::vector<DecayRange> ranges;
  for (const TensorSpec& tensor : layout.tensors) {
    const bool decays = tensor.shape.size() >= 2;
    // The gap before a tensor goes with the range before it: it holds zeros, which stay zero either
    // way.
    if (!ranges.empty()) ranges.back().end = tensor.offset;
    if (ranges.empty() || ranges.back().decays != decays) {
      ranges.push_back({ranges.empty() ? 0 : tensor.offset, 0, decays});
    }
  }
  if (!ranges.empty()) ranges.back().end = layout.size;
  return ranges;
}

AdamWOptimizer::AdamWOptimizer(const OptimizerSection& settings, const WeightsLayout& layout,
                               const kernels::Exec& exec)
    : settings_(settings),
      layout_(layout),
      exec_(exec),
      ranges_(DecayRanges(layout)),
      m_(layout.size),
      v_(layout.size) {}

float AdamWOptimizer::ClipFactor(double norm, double max_norm) {
  if (max_norm <= 0) return 1;
  return static_cast<float>(std::min(1.0, max_norm / (norm + 1e-6)));
}

double AdamWOptimizer::GradNorm(std::span<const float> grads) const {
  return std::sqrt(kernels::SumOfSquares(exec_, grads.data(), static_cast<int64_t>(grads.size())));
}

std::shared_ptr<const Weights> AdamWOptimizer::Step(const Weights& current, Buffer<float> grads,
                                                    double norm, double learning_rate,
                                                    uint64_t step) {
  kernels::AdamWStep kernel;
  kernel.learning_rate = learning_rate;
  kernel.beta1 = settings_.adam_beta1;
  kernel.beta2 = settings_.adam_beta2;
  kernel.epsilon = settings_.adam_epsilon;
  // Pow takes no base of 0; a beta of 0 needs no correction.
  const auto correction = [&](double beta) {
    return beta > 0 ? 1 - Pow(beta, static_cast<double>(step)) : 1.0;
  };
  kernel.bias_correction1 = correction(settings_.adam_beta1);
  kernel.bias_correction2 = correction(settings_.adam_beta2);
  kernel.grad_scale = ClipFactor(norm, settings_.max_grad_norm);

  for (const DecayRange& range : ranges_) {
    kernel.weight_decay = range.decays ? settings_.weight_decay : 0.0;
    const int64_t at = range.begin;
    kernels::AdamW(exec_, kernel, current.data.data() + at, grads.data() + at, m_.data() + at,
                   v_.data() + at, range.end - at, grads.data() + at);
  }
  return arrays_.Share(layout_, std::move(grads), step, exec_.pool);
}

}  // namespace hone
