// The backend under the numerics contract, of the kernels in kernels/. There is one forward
// (exact_forward.cpp): Forward and ForwardLogprobs differ in the head alone (exact_head.cpp). The
// backward (exact_backward.cpp) runs a kept forward in reverse.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/buffer.h"
#include "common/thread_pool.h"
#include "kernels/attention.h"
#include "kernels/experts.h"
#include "kernels/matmul.h"
#include "kernels/rmsnorm.h"
#include "kernels/rope.h"
#include "policy/backend.h"
#include "policy/model/backward_scratch.h"
#include "policy/model/batch_plan.h"
#include "policy/model/exact_activations.h"
#include "policy/model/exact_cache.h"
#include "policy/model/expert_scratch.h"
#include "policy/model/head_scratch.h"
#include "policy/model/packed_weights.h"
#include "policy/model/plan_parts.h"
#include "policy/model/tape.h"
#include "policy/model/tensor_offsets.h"

namespace hone {

class ExactBackend final : public Backend {
 public:
  // threads 0: all cores. type: of the matrices, fp32 or bf16; arithmetic is in fp32.
  ExactBackend(const ModelConfig& config, FloatType type, int threads, kernels::Isa isa);

  const ModelConfig& config() const override { return config_; }
  const WeightsLayout& layout() const override { return layout_; }
  ThreadPool& pool() override { return pool_; }
  void SetWeights(std::shared_ptr<const Weights> weights) override;
  const Weights& weights() const override;
  bool exact() const override { return true; }
  std::unique_ptr<KvCache> NewCache(int32_t pages, int32_t page_size) override;
  void Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
               std::span<float> logits_RV, std::shared_ptr<const Activations>* record) override;
  void ForwardLogprobs(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                       float temperature, bool keep, std::span<float> logprobs,
                       std::span<float> entropies, std::span<const ActivationRow> known) override;
  void Backward(std::span<const float> dlogprobs, std::span<const float> dentropies,
                std::span<float> grads) override;

 private:
  // A forward that waits for its backward. Buffers are kept from one to the next.
  struct Kept {
    bool valid = false;
    Batch batch;
    BatchPlan plan;  // of `batch`
    ExactCache* cache = nullptr;
    std::vector<Target> targets;
    float temperature = 1;
    Buffer<float> log_sum_exp_N;  // of each target
    bool has_logits = false;      // head holds the logits of all targets, too
    HeadBuffers head;
    std::vector<LayerTape> layers;     // unless the rows are known
    std::vector<ActivationRow> known;  // of each row, or empty
  };

  // The weights that are computed with, once they are laid out.
  const float* Data(int64_t offset) const { return packed_.data() + offset; }
  float eps() const { return static_cast<float>(config_.rms_norm_eps); }
  float norm_offset() const { return static_cast<float>(config_.norm_offset); }
  kernels::AttentionShape ShapeOf(int64_t l) const;
  const kernels::RopeTable& RopeOf(int64_t l) const;
  kernels::HeadNorm QNorm(int64_t l) const;
  kernels::HeadNorm KNorm(int64_t l) const;
  void CheckReady() const;
  void LayOutWeights();
  ExactCache& CacheOf(KvCache& cache) const;

  // Rows of a batch on their way through the layers: all of them on all threads (of which one runs
  // this code, or each as a member), or some spans' on one.
  struct Part {
    kernels::Exec exec;
    PlanPart at;
    const BatchPlan& plan;  // of all rows
    ExactCache& cache;
    bool keep;  // for a backward
  };

  // The residual stream before and after a branch; `out` may be `in`.
  struct Residual {
    const float* in;
    float* out;
  };

  // Leaves the residual stream that enters the final norm in x_TD. With `tapes`, keeps what the
  // backward needs there, layer by layer.
  void RunLayers(const Batch& batch, const BatchPlan& plan, ExactCache& cache,
                 std::vector<LayerTape>* tapes, float* x_TD);
  // Leaves in x_TD_ what RunLayers would, of rows that it computed before.
  void TakeKnown(std::span<const ActivationRow> known);
  void ReserveRows(size_t rows, std::vector<LayerTape>* tapes);  // room for what all parts write
  void RunPart(const Part& part, std::vector<LayerTape>* tapes, float* x_TD);
  const float* Normed(const Part& part, const float* x, int64_t norm);
  void FinishHeads(int64_t l, const Part& part, const kernels::OutputPart& done, LayerTape* tape);
  void CopyPages(int64_t l, const kernels::Exec& exec, const BatchPlan& plan, ExactCache& cache);
  void Attend(int64_t l, const Part& part, const Residual& x, LayerTape* tape);
  void FeedForward(int64_t l, const Part& part, const Residual& x, LayerTape* tape);
  void Experts(int64_t l, int64_t rows, const Residual& x, bool keep, LayerTape* tape);
  void ChooseExperts(int64_t l, int64_t rows, const float* normed);
  std::span<const int32_t> PlacesOf(int64_t e) const;
  kernels::Choice ChoiceOf(int64_t rows) const;
  // What closes a branch off the residual stream: a projection w, its bias, and a norm of the whole
  // (each may be absent).
  struct BranchEnd {
    const kernels::PackedMatrix& w;
    int64_t bias, norm;
  };
  void AddToResidual(const Part& part, const Residual& x, const float* in, const BranchEnd& end,
                     Buffer<float>* branch);

  // Logits of the rows head_.rows_R of x_TD; those of known rows may have been kept.
  void HeadLogits(const float* x_TD, std::span<const ActivationRow> known, const HeadRows& out);
  void KeepLogits(std::span<const int32_t> output_rows, std::span<const float> logits_RV,
                  ExactActivations* to) const;
  bool TakeLogits(std::span<const ActivationRow> known, float* logits_RV) const;
  void HeadBackward(std::span<const int32_t> ids, const HeadGradient& gradient);
  void HeadBackwardChunk(std::span<const int32_t> ids, const HeadGradient& gradient);
  HeadRows HeadOf(std::span<const int32_t> ids);  // of kept targets, side by side
  void LogitGradients(std::span<const int32_t> ids, const HeadGradient& gradient, float* logits);
  // Ids of the kept targets, component by component; counts_C: how many each component has.
  std::vector<int32_t> TargetsByComponent(const std::vector<int32_t>& component_of_span,
                                          int32_t components, std::vector<size_t>* counts_C) const;

  // The layers' part of Backward (exact_backward.cpp).
  void BackwardLayers(float* grads);
  void PrepareBackward();
  template <class Body>
  void ForRows(const Body& body);  // body(part)
  template <class Body>
  void ForShares(const Body& body);  // body(share)
  const LayerTape& TapeOf(int64_t l) const;
  void ClearPageGradients(int64_t l, const RowsPart& part);
  void BackwardAttention(int64_t l);

  // What the layers' backward finds of rows computed before (exact_activations.cpp).
  struct KnownPart {
    int64_t width;
    Buffer<float> LayerTape::*of;
  };
  std::vector<KnownPart> KnownParts() const;  // that are copied
  void ReserveKnown();
  void TakeLayer(int64_t l, const RowsPart& part);
  const float* GateUpOf(int64_t l, int64_t row) const;

  // What is done to rows (exact_backward_rows.cpp).
  int64_t GradStride() const;  // of ProjectionScratch::dy_NT
  void ReserveBackward();
  const float* BranchEndRows(const RowsPart& part, int64_t row, int64_t rows,
                             const Buffer<float>& branch_TD, int64_t norm, NormScratch* scratch);
  void KeepGradient(const RowsPart& part, int64_t row, int64_t rows, const float* dy, int64_t n,
                    ProjectionScratch* to);
  kernels::RowsAt InputRows(int64_t row, ProjectionScratch* to) const;
  void KeepInput(const RowsPart& part, int64_t row, int64_t rows, const float* x, int64_t k,
                 ProjectionScratch* to);
  void InputGradient(const RowsPart& part, int64_t rows, const float* dy, int64_t n, int64_t k,
                     const ProjectionScratch& of, float* dx);
  void NormedProjectionRows(const RowsPart& part, int64_t row, int64_t rows,
                            const Buffer<float>& x_TD, int64_t norm, const float* dy, int64_t n,
                            ProjectionScratch* projection, NormScratch* scratch);
  void FeedForwardRows(int64_t l, const RowsPart& part);
  void AttentionOutRows(int64_t l, const RowsPart& part);
  void ProjectionRows(int64_t l, const RowsPart& part);
  void HeadNormRows(int64_t l, const RowsPart& part, int64_t row, int64_t rows, float* d_qkv);

  // What is done to shares of the weights (exact_backward_weights.cpp).
  void PackPieces(const WeightShare& share, Pieces pieces, int64_t k, ProjectionScratch* to);
  void PackQkv(int64_t l, const WeightShare& share);
  void PackBranches(int64_t l, const WeightShare& share);  // all but that
  void WeightGradient(const WeightShare& share, const ProjectionScratch& of, Pieces weights,
                      Pieces biases, int64_t k, float* grads);
  void NormGradient(const WeightShare& share, const NormScratch& of, const Buffer<float>& x_TD,
                    int64_t norm, float* grads);
  void FeedForwardWeights(int64_t l, const WeightShare& share, float* grads);
  void AttentionOutWeights(int64_t l, const WeightShare& share, float* grads);
  void ProjectionWeights(int64_t l, const WeightShare& share, float* grads);

  void BackwardExperts(int64_t l, float* grads);
  void BackwardExpert(int64_t l, int64_t e, float* grads);
  void BackwardEmbedding(int32_t first_row, int32_t rows, float* grads);

  const ModelConfig config_;
  const WeightsLayout layout_;
  const TensorOffsets offsets_;
  ThreadPool pool_;
  const kernels::Exec exec_;
  const kernels::AttentionShape shape_;  // but for the window, which is the layer's
  const kernels::RopeTable rope_, local_rope_;
  std::shared_ptr<const Weights> weights_;
  PackedWeights packed_;

  BatchPlan plan_;
  PlanParts parts_;
  Buffer<float> x_TD_, normed_TD_, act_TF_, branch_TD_;
  Buffer<float> own_normed_;  // of each member of the threads, for few rows
  LayerTape scratch_;         // in place of a tape when nothing is kept
  ActivationsShelf activations_;
  HeadScratch head_;
  ExpertScratch experts_;
  Kept kept_;
  BackwardScratch back_;
};

}  // namespace hone
