#include "policy/model/packed_weights.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace hone {
namespace {

using kernels::PackTransposed;

// The packed models of this process, by the memory of their weights. Whoever holds a model holds
// its weights, so an address stands for one version.
struct Registry {
  std::mutex mutex;
  std::map<const float*, std::weak_ptr<PackedModel>> models;
};

Registry& TheRegistry() {
  static Registry registry;
  return registry;
}

}  // namespace

PackedWeights::PackedWeights(const ModelConfig& config, const TensorOffsets& offsets)
    : config_(config), offsets_(offsets) {}

PackedWeights::~PackedWeights() { Set(nullptr); }

void PackedWeights::Set(const float* weights) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  weights_ = weights;
  ready_ = false;
  if (model_ == nullptr) return;
  if (model_.use_count() > 1) {
    model_.reset();  // another's, too
  } else {
    registry.models.erase(model_->weights);  // from now on memory only
  }
}

const PackedModel& PackedWeights::Get(const kernels::Exec& exec) {
  if (ready_) return *model_;
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  const auto found = registry.models.find(weights_);
  if (std::shared_ptr<PackedModel> shared;
      found != registry.models.end() && (shared = found->second.lock()) != nullptr) {
    model_ = std::move(shared);
  } else {
    if (model_ == nullptr) model_ = std::make_shared<PackedModel>();
    Pack(exec, model_.get());
    registry.models[weights_] = model_;
  }
  ready_ = true;
  return *model_;
}

void PackedWeights::Pack(const kernels::Exec& exec, PackedModel* model) {
  const int64_t d = config_.hidden_size, q = config_.q_dim(), kv = config_.kv_dim(),
                f = config_.intermediate_size;
  // Of tensors (offset, size), one after the other.
  struct Part {
    int64_t offset, size;
  };
  const auto copy = [&](std::initializer_list<Part> parts, float* to) {
    for (const Part& part : parts) to = std::copy_n(weights_ + part.offset, part.size, to);
  };
  model->weights = weights_;
  model->layers.resize(offsets_.layers.size());
  stack_.Reserve(static_cast<size_t>((q + 2 * kv) * d));
  for (size_t l = 0; l < offsets_.layers.size(); ++l) {
    const LayerOffsets& at = offsets_.layers[l];
    PackedLayer& layer = model->layers[l];
    copy({{at.q, q * d}, {at.k, kv * d}, {at.v, kv * d}}, stack_.data());
    PackTransposed(exec, stack_.data(), q + 2 * kv, d, &layer.qkv);
    PackTransposed(exec, weights_ + at.o, d, q, &layer.o);
    if (at.router == kAbsent) {
      PackTransposed(exec, weights_ + at.gate, f, d, &layer.gate);
      PackTransposed(exec, weights_ + at.up, f, d, &layer.up);
      PackTransposed(exec, weights_ + at.down, d, f, &layer.down);
    } else {
      PackTransposed(exec, weights_ + at.router, config_.num_experts, d, &layer.router);
    }
    layer.experts.resize(at.experts.size());
    for (size_t e = 0; e < at.experts.size(); ++e) {
      const int64_t g = config_.expert_size;
      PackTransposed(exec, weights_ + at.experts[e].gate, g, d, &layer.experts[e].gate);
      PackTransposed(exec, weights_ + at.experts[e].up, g, d, &layer.experts[e].up);
      PackTransposed(exec, weights_ + at.experts[e].down, d, g, &layer.experts[e].down);
    }
    if (config_.qkv_bias) {
      layer.qkv_bias.Reserve(static_cast<size_t>(q + 2 * kv));
      copy({{at.q_bias, q}, {at.k_bias, kv}, {at.v_bias, kv}}, layer.qkv_bias.data());
    }
    if (config_.mlp_bias) {
      layer.gate_up_bias.Reserve(static_cast<size_t>(2 * f));
      copy({{at.gate_bias, f}, {at.up_bias, f}}, layer.gate_up_bias.data());
    }
  }
  PackTransposed(exec, weights_ + offsets_.head, config_.vocab_size, d, &model->head);
}

}  // namespace hone
