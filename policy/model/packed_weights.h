// One version of the weights, rounded to the type that the exact backend computes with, and laid
// out for its matrix products.
#pragma once

#include <memory>
#include <vector>

#include "common/buffer.h"
#include "kernels/matmul.h"
#include "policy/files/float_types.h"
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
  // What it computes with, flat as they are: the same, or `rounded`.
  const float* data = nullptr;
  std::vector<PackedLayer> layers;
  kernels::PackedMatrix head;
  // All panels, one matrix behind the other: one allocation has huge pages, which many small ones
  // had not. Of bf16, in pairs.
  Buffer<float> panels;
  Buffer<uint32_t> bf16_pairs;
  Buffer<float> rounded;  // empty with fp32
};

// Packs when the first product of a version asks for it, with the asking thread's pool. Backends of
// one process that hold the same version in the same memory (a learner, and a rollout worker that
// got the learner's weights without a copy) share one packed model. Its memory serves the next
// version once nobody else uses it.
class PackedWeights {
 public:
  // type: fp32 or bf16.
  PackedWeights(const ModelConfig& config, const WeightsLayout& layout, FloatType type);
  ~PackedWeights();

  // Takes a version; `weights` stays as it is until the next.
  void Set(const float* weights);
  const PackedModel& Get(const kernels::Exec& exec);
  const float* data() const { return model_->data; }  // of the version that Get gave last

 private:
  void Pack(const kernels::Exec& exec, PackedModel* model);
  // Fills `panels` with all matrices of model->data.
  template <class Word>
  void PackAll(const kernels::Exec& exec, PackedModel* model, Buffer<Word>* panels);
  void CopyBiases(PackedModel* model);

  const ModelConfig config_;
  const WeightsLayout layout_;
  const TensorOffsets offsets_;
  const FloatType type_;
  const float* weights_ = nullptr;
  std::shared_ptr<PackedModel> model_;  // of weights_ when ready_, else only its memory
  bool ready_ = false;
  Buffer<float> stack_;  // tensors that are packed as one, row below row
};

}  // namespace hone
