// The backend under the numerics contract, of the kernels in kernels/. There is one forward
// (exact_forward.cpp): Forward and ForwardLogprobs differ in the head alone (exact_head.cpp). The
// backward (exact_backward.cpp) runs a kept forward in reverse.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/buffer.h"
#include "common/thread_pool.h"
#include "kernels/rope.h"
#include "policy/backend.h"
#include "policy/model/batch_plan.h"
#include "policy/model/exact_cache.h"
#include "policy/model/packed_weights.h"
#include "policy/model/tape.h"
#include "policy/model/tensor_offsets.h"

namespace hone {

class ExactBackend final : public Backend {
 public:
  // threads 0: all cores.
  ExactBackend(const ModelConfig& config, int threads, kernels::Isa isa);

  const ModelConfig& config() const override { return config_; }
  const WeightsLayout& layout() const override { return layout_; }
  void SetWeights(std::shared_ptr<const Weights> weights) override;
  const Weights& weights() const override;
  bool exact() const override { return true; }
  std::unique_ptr<KvCache> NewCache(int32_t pages, int32_t page_size) override;
  void Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
               std::span<float> logits_RV) override;
  void ForwardLogprobs(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                       float temperature, bool keep, std::span<float> logprobs,
                       std::span<float> entropies) override;
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
    std::vector<LayerTape> layers;
  };

  // The head on some rows at a time, R at most kHeadRows.
  struct HeadScratch {
    Buffer<float> x_RD, inv_rms_R, normed_RD, logits_RV, log_sum_exp_R, entropy_R;
    Buffer<float> dlogprob_R, dentropy_R, d_normed_RD, d_x_RD;
    std::vector<int32_t> rows_R, tokens_R;
  };

  struct BackwardScratch {
    Buffer<float> d_x_TD, normed_TD, inv_rms_T, d_normed_TD, act_TF, d_act_TF, d_gate_up_T2F;
    Buffer<float> d_attention_TQ, d_qkv_TC, grad_k, grad_v;  // grad_k, grad_v: one layer's pages
  };

  // The gradients that one Backward works on.
  struct HeadGradient {
    std::span<const float> dlogprobs, dentropies;  // of all targets; dentropies may be empty
    float* grads = nullptr;
    bool inputs = false;   // computes d_x_TD and the final norm's gradient
    bool weights = false;  // computes the head's gradient
  };

  const float* Data(int64_t offset) const { return weights_->data.data() + offset; }
  void CheckReady() const;
  ExactCache& CacheOf(KvCache& cache) const;

  // Leaves the residual stream that enters the final norm in x_TD_.
  void RunLayers(const Batch& batch, const BatchPlan& plan, ExactCache& cache, bool keep);
  void Attend(int64_t l, const Batch& batch, const BatchPlan& plan, ExactCache& cache, bool keep,
              LayerTape* tape);
  void FeedForward(int64_t l, int64_t rows, LayerTape* tape);

  // Logits of rows of x_TD_, as many as there are in head_.rows_R.
  void HeadLogits(float* logits_RV);
  void HeadBackward(std::span<const int32_t> ids, const HeadGradient& gradient);
  void HeadBackwardChunk(std::span<const int32_t> ids, const HeadGradient& gradient);
  // Ids of the kept targets, component by component; counts_C: how many each component has.
  std::vector<int32_t> TargetsByComponent(const std::vector<int32_t>& component_of_span,
                                          int32_t components, std::vector<size_t>* counts_C) const;

  void BackwardFeedForward(int64_t l, float* grads);
  void BackwardAttention(int64_t l, float* grads);
  void BackwardProjections(int64_t l, float* grads);
  void BackwardEmbedding(int32_t first_row, int32_t rows, float* grads);

  const ModelConfig config_;
  const WeightsLayout layout_;
  const TensorOffsets offsets_;
  ThreadPool pool_;
  const kernels::Exec exec_;
  const kernels::AttentionShape shape_;
  const kernels::RopeTable rope_;
  std::shared_ptr<const Weights> weights_;
  PackedWeights packed_;

  BatchPlan plan_;
  Buffer<float> x_TD_, normed_TD_, act_TF_;
  LayerTape scratch_;  // in place of a tape when nothing is kept
  HeadScratch head_;
  Kept kept_;
  BackwardScratch back_;
};

}  // namespace hone
