// One version of the weights, laid out for the matrix products of the exact backend.
#pragma once

#include <vector>

#include "kernels/matmul.h"
#include "policy/model/tensor_offsets.h"

namespace hone {

// Right-hand sides of a layer's products y = x B in the forward: B = wᵀ.
struct ForwardLayer {
  kernels::PackedMatrix qkv;  // columns q | k | v
  kernels::PackedMatrix o, gate, up, down;
};
// And of dx = dy B in the backward: B = w.
struct BackwardLayer {
  kernels::PackedMatrix qkv;  // rows q | k | v
  kernels::PackedMatrix o;
  kernels::PackedMatrix gate_up;  // rows gate | up
  kernels::PackedMatrix down;
};

template <class Layer>
struct PackedModel {
  std::vector<Layer> layers;
  kernels::PackedMatrix head;
};

// Packs in the calling thread's pool; the memory is kept from one version to the next.
class PackedWeights {
 public:
  PackedWeights(const ModelConfig& config, const TensorOffsets& offsets);

  // Takes a version: packs the forward's matrices, and forgets the backward's.
  void Set(const kernels::Exec& exec, const float* weights);
  const PackedModel<ForwardLayer>& forward() const { return forward_; }
  // q | k | v biases of a layer, or null.
  const float* qkv_bias(size_t layer) const;
  // Packed at the first call for a version.
  const PackedModel<BackwardLayer>& Backward(const kernels::Exec& exec, const float* weights);

 private:
  const float* StackRows(const float* weights,
                         std::initializer_list<std::pair<int64_t, int64_t>> parts, int64_t columns);

  const ModelConfig config_;
  const TensorOffsets offsets_;
  PackedModel<ForwardLayer> forward_;
  PackedModel<BackwardLayer> backward_;
  std::vector<Buffer<float>> qkv_bias_;
  bool backward_ready_ = false;
  Buffer<float> stack_;  // tensors that are packed as one, row below row
};

}  // namespace hone
