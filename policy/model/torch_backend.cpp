// The torch backend: plain LibTorch operators and autograd, the reference that `exact` is compared
// with. No promise about bits. Built as a module of its own; see torch_module.h. It does not use
// fmt: LibTorch's include folder carries another version of it.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "common/error.h"
#include "policy/backend.h"
#include "policy/model/batch_plan.h"
#include "policy/model/rope_frequencies.h"
#include "policy/model/round_matrices.h"
#include "policy/model/tensor_offsets.h"
#include "policy/model/torch_cache.h"

namespace hone {
namespace {

constexpr int32_t kBlock = kernels::kPagePositions;  // positions of a block of the plan
constexpr int64_t kHeadRows =
    256;  // of the head at a time, so that [tokens, vocabulary] never exists

// Errors of LibTorch leave the module as hone's own.
template <class Body>
auto Guard(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const c10::Error& error) {
    throw RunError(std::string("torch backend: ") + error.what_without_backtrace());
  }
}

// A batch as index tensors.
struct Indices {
  at::Tensor tokens_T, positions_T,
      slots_T;                            // int64; slot = block * kBlock + position % kBlock
  std::vector<at::Tensor> slots_of_span;  // of its positions 0 … end
  std::vector<at::Tensor> rows_of_span;   // in training: which row of the batch wrote each of them
  std::vector<at::Tensor> ages_of_span;   // [rows, positions]: the query's position less the key's
};

class TorchBackend final : public Backend {
 public:
  TorchBackend(const BackendOptions& options, const ModelConfig& config);
  const ModelConfig& config() const override { return config_; }
  const WeightsLayout& layout() const override { return layout_; }
  ThreadPool& pool() override { return pool_; }
  void SetWeights(std::shared_ptr<const Weights> weights) override;
  const Weights& weights() const override;
  bool exact() const override { return false; }
  std::unique_ptr<KvCache> NewCache(int32_t pages, int32_t page_size) override;
  void Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
               std::span<float> logits_RV, std::shared_ptr<const Activations>* record) override;
  void ForwardLogprobs(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                       float temperature, bool keep, std::span<float> logprobs,
                       std::span<float> entropies, std::span<const ActivationRow> known) override;
  void ForwardLogprobsInDouble(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                               double temperature, std::span<double> logprobs,
                               std::span<double> entropies) override;
  void Backward(std::span<const float> dlogprobs, std::span<const float> dentropies,
                std::span<float> grads) override;

 private:
  // Log-probabilities of the targets and entropies, [n] each.
  struct Distribution {
    at::Tensor logprobs, entropies;
  };

  at::Tensor Index(std::vector<int64_t> values) const;
  // What lies at an offset of the flat array, as a view of the tensor it is part of; undefined for
  // kAbsent.
  at::Tensor At(int64_t offset, at::IntArrayRef shape) const;
  Indices MakeIndices(const Batch& batch, const BatchPlan& plan, bool training) const;
  at::Tensor Norm(const at::Tensor& x, int64_t weight) const;  // left as it is for kAbsent
  at::Tensor Rotate(int64_t l, const at::Tensor& x_THD, const at::Tensor& positions_T) const;
  at::Tensor Attend(int64_t l, const at::Tensor& x, const BatchPlan& plan, const Indices& indices,
                    TorchCache& cache, bool training) const;
  at::Tensor FeedForward(int64_t l, const at::Tensor& x) const;
  at::Tensor Experts(int64_t l, const at::Tensor& x) const;
  at::Tensor Gated(const at::Tensor& gate, const at::Tensor& up) const;
  // After the final norm, [T, hidden_size].
  at::Tensor Hidden(const Batch& batch, TorchCache& cache, bool training) const;
  at::Tensor Logits(const at::Tensor& hidden) const;
  Distribution Head(const at::Tensor& hidden, const at::Tensor& targets, double temperature) const;
  // ForwardLogprobs, rounded to T.
  template <class T>
  void Score(const Batch& batch, KvCache& cache, std::span<const Target> targets,
             double temperature, bool keep, std::span<T> logprobs, std::span<T> entropies);
  TorchCache& CacheOf(KvCache& cache) const;
  void BackwardHead(std::span<const float> dlogprobs, std::span<const float> dentropies,
                    const at::Tensor& hidden);

  const ModelConfig config_;
  const WeightsLayout layout_;
  const TensorOffsets offsets_;
  ThreadPool pool_;  // the caller's alone: LibTorch has its own
  at::TensorOptions options_;
  at::Tensor frequencies_, local_frequencies_;  // inverse, [dimensions that turn / 2]
  const bool bf16_;
  std::shared_ptr<const Weights> weights_;
  Buffer<float> rounded_;                     // of weights_, with bf16_
  std::map<int64_t, at::Tensor> parameters_;  // by offset: leaves that require a gradient

  // Of the kept forward; undefined when there is none.
  at::Tensor kept_hidden_ND_, kept_targets_N_;
  double kept_temperature_ = 1;
};

TorchBackend::TorchBackend(const BackendOptions& options, const ModelConfig& config)
    : config_(config),
      layout_(MakeLayout(config)),
      offsets_(MakeOffsets(config, layout_)),
      pool_(options.threads),
      bf16_(options.dtype == "bf16") {
  options_ = at::TensorOptions().dtype(options.float64 ? at::kDouble : at::kFloat);
  if (options.device == "cuda") {
#ifdef HONE_CUDA
    if (!at::hasCUDA())
      throw UsageError("policy.device: \"cuda\" was asked for and no CUDA device was found");
    options_ = options_.device(at::kCUDA);
#else
    throw UsageError(
        "policy.device: this build has no \"cuda\"; configure it with -DHONE_CUDA=ON, or use "
        "\"cpu\"");
#endif
  }
  if (options.threads > 0)
    at::set_num_threads(options.threads);  // LibTorch has one setting a process
  const auto frequencies = [&](double theta, const RopeScaling& scaling) {
    return at::tensor(InverseFrequenciesInDouble(theta, config.turned_dim(), scaling)).to(options_);
  };
  frequencies_ = frequencies(config.rope_theta, config.rope_scaling);
  if (config.local_rope_theta > 0) local_frequencies_ = frequencies(config.local_rope_theta, {});
}

at::Tensor TorchBackend::Index(std::vector<int64_t> values) const {
  return at::tensor(values, at::TensorOptions().dtype(at::kLong)).to(options_.device());
}

at::Tensor TorchBackend::At(int64_t offset, at::IntArrayRef shape) const {
  if (offset == kAbsent) return {};
  const auto& [first, tensor] = *std::prev(parameters_.upper_bound(offset));
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  if (size == tensor.numel()) return tensor.view(shape);
  return tensor.view({-1}).narrow(0, offset - first, size).view(shape);
}

void TorchBackend::SetWeights(std::shared_ptr<const Weights> weights) {
  Guard([&] {
    CheckSize("weights", static_cast<size_t>(layout_.size), weights->data.size());
    kept_hidden_ND_.reset();
    weights_ = std::move(weights);
    const float* data = weights_->data.data();
    if (bf16_) {
      rounded_.Reserve(weights_->data.size());
      RoundMatrices(layout_, weights_->data, &pool_, rounded_.span());
      data = rounded_.data();
    }
    for (const TensorSpec& spec : layout_.tensors) {
      // Nothing writes to a parameter; from_blob takes no pointer to const.
      parameters_[spec.offset] = at::from_blob(const_cast<float*>(data) + spec.offset, spec.shape)
                                     .to(options_)
                                     .requires_grad_(true);
    }
  });
}

const Weights& TorchBackend::weights() const {
  if (!weights_) throw RunError("the backend has no weights yet: SetWeights comes first");
  return *weights_;
}

std::unique_ptr<KvCache> TorchBackend::NewCache(int32_t pages, int32_t page_size) {
  CheckPageSize(page_size);
  return Guard([&] { return std::make_unique<TorchCache>(config_, pages, page_size, options_); });
}

TorchCache& TorchBackend::CacheOf(KvCache& cache) const {
  auto* own = dynamic_cast<TorchCache*>(&cache);
  if (own == nullptr || static_cast<int64_t>(own->k.size()) != config_.num_layers) {
    throw RunError("the key/value cache was made by another backend or for another model");
  }
  return *own;
}

Indices TorchBackend::MakeIndices(const Batch& batch, const BatchPlan& plan, bool training) const {
  Indices indices;
  indices.tokens_T = Index({batch.tokens_T.begin(), batch.tokens_T.end()});
  indices.positions_T = Index({plan.positions_T.begin(), plan.positions_T.end()});
  const auto slot = [](const kernels::AttentionSpan& span, int32_t position) {
    return int64_t{span.pages[position / kBlock]} * kBlock + position % kBlock;
  };
  std::vector<int64_t> slots;
  std::vector<int64_t> writer(static_cast<size_t>(plan.used_blocks) * kBlock,
                              -1);  // row that wrote a slot
  for (const auto& span : plan.spans) {
    for (int32_t i = 0; i < span.rows; ++i) {
      slots.push_back(slot(span, span.position + i));
      writer[slots.back()] = span.first_row + i;
    }
  }
  for (const PageCopy& copy : plan.copies) {
    std::copy_n(writer.begin() + copy.source * kBlock, copy.slots,
                writer.begin() + copy.target * kBlock);
  }
  indices.slots_T = Index(slots);
  for (const auto& span : plan.spans) {
    std::vector<int64_t> read, rows;
    for (int32_t position = 0; position < span.position + span.rows; ++position) {
      read.push_back(slot(span, position));
      rows.push_back(writer[read.back()]);
    }
    if (training && std::find(rows.begin(), rows.end(), -1) != rows.end()) {
      throw RunError("a training batch must hold its sequences from position 0 on");
    }
    const at::Tensor keys = at::arange(span.position + span.rows, options_.dtype(at::kLong));
    const at::Tensor queries =
        at::arange(span.position, span.position + span.rows, options_.dtype(at::kLong));
    indices.ages_of_span.push_back(queries.unsqueeze(1) - keys.unsqueeze(0));
    indices.slots_of_span.push_back(Index(read));
    indices.rows_of_span.push_back(training ? Index(rows) : at::Tensor());
  }
  return indices;
}

at::Tensor TorchBackend::Norm(const at::Tensor& x, int64_t weight) const {
  if (weight == kAbsent) return x;
  return x * at::rsqrt(at::mean(x * x, -1, /*keepdim=*/true) + config_.rms_norm_eps) *
         (At(weight, {x.size(-1)}) + config_.norm_offset);
}

at::Tensor TorchBackend::Rotate(int64_t l, const at::Tensor& x_THD,
                                const at::Tensor& positions_T) const {
  const bool local = config_.local_rope(l);
  const double factor = local ? 1 : config_.rope_scaling.attention_factor;
  const at::Tensor angles =
      at::outer(positions_T.to(options_.dtype()), local ? local_frequencies_ : frequencies_)
          .unsqueeze(1);
  const at::Tensor cosine = at::cos(angles) * factor, sine = at::sin(angles) * factor;
  const int64_t turned = config_.turned_dim(), half = turned / 2;
  const at::Tensor a = x_THD.narrow(-1, 0, half), b = x_THD.narrow(-1, half, half),
                   rest = x_THD.narrow(-1, turned, config_.head_dim - turned);
  return at::cat({a * cosine - b * sine, b * cosine + a * sine, rest}, -1);
}

at::Tensor SoftCap(const at::Tensor& x, double cap) {
  return cap > 0 ? at::tanh(x / cap) * cap : x;
}

at::Tensor TorchBackend::Attend(int64_t l, const at::Tensor& x, const BatchPlan& plan,
                                const Indices& indices, TorchCache& cache, bool training) const {
  const int64_t rows = x.size(0), kv_heads = config_.num_kv_heads, dim = config_.head_dim;
  const int64_t sharing = config_.num_heads / kv_heads;  // query heads a key head serves
  const LayerOffsets& layer = offsets_.layers[static_cast<size_t>(l)];
  const auto project = [&](int64_t weight, int64_t bias, int64_t heads) {
    return at::linear(x, At(weight, {heads * dim, x.size(1)}), At(bias, {heads * dim}))
        .view({rows, heads, dim});
  };
  const auto turned = [&](const at::Tensor& heads, int64_t norm) {
    return Rotate(l, Norm(heads, norm), indices.positions_T);
  };
  const at::Tensor q = turned(project(layer.q, layer.q_bias, config_.num_heads), layer.q_norm);
  const at::Tensor k = turned(project(layer.k, layer.k_bias, kv_heads), layer.k_norm),
                   v = project(layer.v, layer.v_bias, kv_heads);
  {
    const c10::AutoGradMode off(false);
    cache.k[l].index_copy_(0, indices.slots_T, k.detach());
    cache.v[l].index_copy_(0, indices.slots_T, v.detach());
    for (const PageCopy& copy : plan.copies) {
      for (at::Tensor* side : {&cache.k[l], &cache.v[l]}) {
        side->narrow(0, int64_t{copy.target} * kBlock, copy.slots)
            .copy_(side->narrow(0, int64_t{copy.source} * kBlock, copy.slots).clone());
      }
    }
  }
  std::vector<at::Tensor> outs;
  for (size_t s = 0; s < plan.spans.size(); ++s) {
    const auto& span = plan.spans[s];
    // In training, straight from the rows that wrote the cache, so that autograd sees them.
    const auto gather = [&](const at::Tensor& written, const at::Tensor& cached) {
      const at::Tensor seen = training ? written.index_select(0, indices.rows_of_span[s])
                                       : cached.index_select(0, indices.slots_of_span[s]);
      return seen.permute({1, 0, 2}).unsqueeze(1);  // [kv_heads, 1, positions, dim]
    };
    const at::Tensor query = q.narrow(0, span.first_row, span.rows)
                                 .view({span.rows, kv_heads, sharing, dim})
                                 .permute({1, 2, 0, 3});
    const double scale =
        config_.attention_scale > 0 ? config_.attention_scale : 1 / std::sqrt(double(dim));
    const at::Tensor scores =
        SoftCap(at::matmul(query, gather(k, cache.k[l]).transpose(-1, -2)) * scale,
                config_.attention_softcap);
    const at::Tensor& ages = indices.ages_of_span[s];
    at::Tensor unseen = ages < 0;
    if (config_.window(l) > 0) unseen = at::logical_or(unseen, ages >= config_.window(l));
    const at::Tensor weights =
        at::softmax(scores.masked_fill(unseen, -std::numeric_limits<double>::infinity()), -1);
    outs.push_back(
        at::matmul(weights, gather(v, cache.v[l])).permute({2, 0, 1, 3}).reshape({span.rows, -1}));
  }
  return at::linear(at::cat(outs, 0), At(layer.o, {x.size(1), config_.q_dim()}),
                    At(layer.o_bias, {x.size(1)}));
}

at::Tensor TorchBackend::FeedForward(int64_t l, const at::Tensor& x) const {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const LayerOffsets& layer = offsets_.layers[static_cast<size_t>(l)];
  const at::Tensor gate = at::linear(x, At(layer.gate, {f, d}), At(layer.gate_bias, {f})),
                   up = at::linear(x, At(layer.up, {f, d}), At(layer.up_bias, {f}));
  return at::linear(Gated(gate, up), At(layer.down, {d, f}), At(layer.down_bias, {d}));
}

at::Tensor TorchBackend::Gated(const at::Tensor& gate, const at::Tensor& up) const {
  return (config_.activation == kernels::Gate::kSilu ? at::silu(gate) : at::gelu(gate, "tanh")) *
         up;
}

at::Tensor TorchBackend::Experts(int64_t l, const at::Tensor& x) const {
  const int64_t d = config_.hidden_size, g = config_.expert_size;
  const LayerOffsets& layer = offsets_.layers[static_cast<size_t>(l)];
  const at::Tensor p = at::softmax(at::linear(x, At(layer.router, {config_.num_experts, d})), -1);
  // Of equal ones those of lower number, which topk does not promise.
  const auto [sorted, order] = p.sort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  at::Tensor weights = sorted.narrow(-1, 0, config_.experts_per_token);
  const at::Tensor chosen = order.narrow(-1, 0, config_.experts_per_token);
  if (config_.norm_topk_prob) weights = weights / weights.sum(-1, /*keepdim=*/true);
  at::Tensor sum = at::zeros_like(x);
  for (int64_t e = 0; e < config_.num_experts; ++e) {
    const at::Tensor places = at::nonzero(chosen == e);  // row, which of its experts
    if (places.size(0) == 0) continue;
    const ExpertOffsets& expert = layer.experts[static_cast<size_t>(e)];
    const at::Tensor rows = places.select(1, 0), in = x.index_select(0, rows);
    const at::Tensor out = at::linear(
        Gated(at::linear(in, At(expert.gate, {g, d})), at::linear(in, At(expert.up, {g, d}))),
        At(expert.down, {d, g}));
    const at::Tensor weight = weights.index_select(0, rows).gather(1, places.narrow(1, 1, 1));
    sum = sum.index_add(0, rows, out * weight);
  }
  return sum;
}

at::Tensor TorchBackend::Hidden(const Batch& batch, TorchCache& cache, bool training) const {
  BatchPlan plan;
  plan.Prepare(batch, config_, cache);
  if (batch.rows() == 0) return at::zeros({0, config_.hidden_size}, options_);
  const Indices indices = MakeIndices(batch, plan, training);
  at::Tensor x = at::embedding(At(offsets_.embed, {config_.vocab_size, config_.hidden_size}),
                               indices.tokens_T);
  if (config_.embedding_scale != 1) x = x * config_.embedding_scale;
  for (int64_t l = 0; l < config_.num_layers; ++l) {
    const LayerOffsets& layer = offsets_.layers[static_cast<size_t>(l)];
    const at::Tensor attended =
        Attend(l, Norm(x, layer.attention_norm), plan, indices, cache, training);
    x = x + Norm(attended, layer.attention_out_norm);
    const at::Tensor normed = Norm(x, layer.mlp_norm);
    const at::Tensor fed = config_.has_experts(l) ? Experts(l, normed) : FeedForward(l, normed);
    x = x + Norm(fed, layer.mlp_out_norm);
  }
  return Norm(x, offsets_.norm);
}

at::Tensor TorchBackend::Logits(const at::Tensor& hidden) const {
  const at::Tensor head = At(offsets_.head, {config_.vocab_size, config_.hidden_size});
  return SoftCap(at::linear(hidden, head), config_.logit_softcap);
}

TorchBackend::Distribution TorchBackend::Head(const at::Tensor& hidden, const at::Tensor& targets,
                                              double temperature) const {
  const at::Tensor all = at::log_softmax(Logits(hidden) / temperature, -1);
  return {all.gather(1, targets.unsqueeze(1)).squeeze(1), -(all.exp() * all).sum(-1)};
}

template <class T>
void CopyOut(const at::Tensor& tensor, T* out) {
  const at::Tensor values =
      tensor.detach().to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
  if (values.numel() > 0) std::memcpy(out, values.data_ptr<T>(), values.nbytes());
}

void TorchBackend::Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
                           std::span<float> logits_RV, std::shared_ptr<const Activations>*) {
  Guard([&] {
    weights();
    CheckSize("logits", output_rows.size() * static_cast<size_t>(config_.vocab_size),
              logits_RV.size());
    kept_hidden_ND_.reset();
    const c10::AutoGradMode off(false);
    const at::Tensor hidden = Hidden(batch, CacheOf(cache), /*training=*/false);
    const at::Tensor rows = Index({output_rows.begin(), output_rows.end()});
    CopyOut(Logits(hidden.index_select(0, rows)), logits_RV.data());
  });
}

template <class T>
void TorchBackend::Score(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                         double temperature, bool keep, std::span<T> logprobs,
                         std::span<T> entropies) {
  Guard([&] {
    weights();
    CheckSize("log-probabilities", targets.size(), logprobs.size());
    if (!entropies.empty()) CheckSize("entropies", targets.size(), entropies.size());
    kept_hidden_ND_.reset();
    std::vector<int64_t> rows, tokens;
    for (const Target& target : targets) {
      rows.push_back(target.row);
      tokens.push_back(target.target);
    }
    kept_targets_N_ = Index(tokens);
    kept_temperature_ = temperature;
    at::Tensor hidden;
    {
      const c10::AutoGradMode grad(keep);
      hidden = Hidden(batch, CacheOf(cache), /*training=*/true).index_select(0, Index(rows));
    }
    const c10::AutoGradMode off(false);
    const int64_t count = static_cast<int64_t>(targets.size());
    for (int64_t first = 0; first < count; first += kHeadRows) {
      const int64_t size = std::min(kHeadRows, count - first);
      const Distribution part =
          Head(hidden.narrow(0, first, size), kept_targets_N_.narrow(0, first, size), temperature);
      CopyOut(part.logprobs, logprobs.data() + first);
      if (!entropies.empty()) CopyOut(part.entropies, entropies.data() + first);
    }
    if (keep) kept_hidden_ND_ = hidden;
  });
}

void TorchBackend::ForwardLogprobs(const Batch& batch, KvCache& cache,
                                   std::span<const Target> targets, float temperature, bool keep,
                                   std::span<float> logprobs, std::span<float> entropies,
                                   std::span<const ActivationRow>) {
  Score(batch, cache, targets, temperature, keep, logprobs, entropies);
}

void TorchBackend::ForwardLogprobsInDouble(const Batch& batch, KvCache& cache,
                                           std::span<const Target> targets, double temperature,
                                           std::span<double> logprobs,
                                           std::span<double> entropies) {
  if (options_.dtype() != at::kDouble) {
    return Backend::ForwardLogprobsInDouble(batch, cache, targets, temperature, logprobs,
                                            entropies);
  }
  Score(batch, cache, targets, temperature, /*keep=*/false, logprobs, entropies);
}

// Leaves the gradient by the rows of `hidden` (a leaf) in its grad().
void TorchBackend::BackwardHead(std::span<const float> dlogprobs, std::span<const float> dentropies,
                                const at::Tensor& hidden) {
  const auto tensor = [&](std::span<const float> values, int64_t first, int64_t size) {
    return at::from_blob(const_cast<float*>(values.data()) + first, {size}).to(options_);
  };
  const int64_t count = static_cast<int64_t>(dlogprobs.size());
  for (int64_t first = 0; first < count; first += kHeadRows) {
    const int64_t size = std::min(kHeadRows, count - first);
    const Distribution part = Head(hidden.narrow(0, first, size),
                                   kept_targets_N_.narrow(0, first, size), kept_temperature_);
    at::Tensor sum = (part.logprobs * tensor(dlogprobs, first, size)).sum();
    if (!dentropies.empty()) sum = sum + (part.entropies * tensor(dentropies, first, size)).sum();
    sum.backward();
  }
}

void TorchBackend::Backward(std::span<const float> dlogprobs, std::span<const float> dentropies,
                            std::span<float> grads) {
  Guard([&] {
    if (!kept_hidden_ND_.defined())
      throw RunError("a backward needs a forward that was kept, one for each");
    const at::Tensor kept = std::exchange(kept_hidden_ND_, at::Tensor());
    const size_t targets = static_cast<size_t>(kept.size(0));
    CheckSize("gradients of log-probabilities", targets, dlogprobs.size());
    if (!dentropies.empty()) CheckSize("gradients of entropies", targets, dentropies.size());
    CheckSize("gradients of weights", static_cast<size_t>(layout_.size), grads.size());
    if (targets == 0) return;
    const c10::AutoGradMode on(true);
    const at::Tensor hidden = kept.detach().requires_grad_(true);
    BackwardHead(dlogprobs, dentropies, hidden);
    kept.backward(hidden.grad());
    for (const TensorSpec& spec : layout_.tensors) {
      at::Tensor& parameter = parameters_.at(spec.offset);
      if (!parameter.grad().defined()) continue;
      const at::Tensor grad = parameter.grad().to(at::kCPU, at::kFloat).contiguous();
      const float* from = grad.data_ptr<float>();
      for (int64_t i = 0; i < spec.size; ++i) grads[spec.offset + i] += from[i];
      parameter.mutable_grad().reset();
    }
  });
}

}  // namespace
}  // namespace hone

extern "C" hone::Backend* hone_make_torch_backend(const hone::BackendOptions* options,
                                                  const hone::ModelConfig* config) {
  return hone::Guard([&] { return new hone::TorchBackend(*options, *config); });
}
