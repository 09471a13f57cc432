// One version of the weights, laid out for the matrix products of the exact backend.
#pragma once

#include <memory>
#include <vector>

#include "common/buffer.h"
#include "kernels/matmul.h"
#include "policy/model/tensor_offsets.h"

namespace hone {

// Right-hand sides of a layer's products y = x B in the forward: B = wᵀ. The backward takes the
// weights as they lie (kernels::MatmulGradInput).
struct PackedExpert {
  kernels::PackedMatrix gate, up, down;
};
struct PackedLayer {
  kernels::PackedMatrix qkv;  // columns q | k | v
  kernels::PackedMatrix o, gate, up, down;
  kernels::PackedMatrix router;  // with experts, in place of gate, up and down
  std::vector<PackedExpert> experts;
  Buffer<float> qkv_bias;      // q | k | v, or empty
  Buffer<float> gate_up_bias;  // gate | up, or empty
};
struct PackedModel {
  const float* weights = nullptr;  // what it was packed from
  std::vector<PackedLayer> layers;
  kernels::PackedMatrix head;
  // All panels, one matrix behind the other: one allocation has huge pages, which many small ones
  // had not.
  Buffer<float> panels;
};

// Packs when the first product of a version asks for it, with the asking thread's pool. Backends of
// one process that hold the same version in the same memory (a learner, and a rollout worker that
// got the learner's weights without a copy) share one packed model. Its memory serves the next
// version once nobody else uses it.
class PackedWeights {
 public:
  PackedWeights(const ModelConfig& config, const TensorOffsets& offsets);
  ~PackedWeights();

  // Takes a version; `weights` stays as it is until the next.
  void Set(const float* weights);
  const PackedModel& Get(const kernels::Exec& exec);

 private:
  void Pack(const kernels::Exec& exec, PackedModel* model);
  void CopyBiases(PackedModel* model);

  const ModelConfig config_;
  const TensorOffsets offsets_;
  const float* weights_ = nullptr;
  std::shared_ptr<PackedModel> model_;  // of weights_ when ready_, else only its memory
  bool ready_ = false;
  Buffer<float> stack_;  // tensors that are packed as one, row below row
};

}  // namespace hone
