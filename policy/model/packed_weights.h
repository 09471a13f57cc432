// One version of the weights, laid out for the matrix products of the exact backend.
#pragma once

#include <vector>

#include "kernels/matmul.h"
#include "policy/model/tensor_offsets.h"

namespace hone {

// Right-hand sides of a layer's products y = x B in the forward: B = wᵀ. The backward takes the
// weights as they lie (kernels::MatmulGradInput).
struct PackedLayer {
  kernels::PackedMatrix qkv;  // columns q | k | v
  kernels::PackedMatrix o, gate, up, down;
};
struct PackedModel {
  std::vector<PackedLayer> layers;
  kernels::PackedMatrix head;
};

// Packs in the calling thread's pool; the memory is kept from one version to the next.
class PackedWeights {
 public:
  PackedWeights(const ModelConfig& config, const TensorOffsets& offsets);

  // Takes a version.
  void Set(const kernels::Exec& exec, const float* weights);
  const PackedModel& forward() const { return forward_; }
  // q | k | v biases of a layer, or null.
  const float* qkv_bias(size_t layer) const;

 private:
  const float* StackRows(const float* weights,
                         std::initializer_list<std::pair<int64_t, int64_t>> parts, int64_t columns);

  const ModelConfig config_;
  const TensorOffsets offsets_;
  PackedModel forward_;
  std::vector<Buffer<float>> qkv_bias_;
  Buffer<float> stack_;  // tensors that are packed as one, row below row
};

}  // namespace hone
