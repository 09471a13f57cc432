#include "policy/model/packed_weights.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "policy/model/round_matrices.h"

namespace hone {
namespace {

using kernels::PackTransposed;

// The packed models of this process, by the memory of their weights and their type. Whoever holds a
// model holds its weights, so an address stands for one version.
struct Registry {
  std::mutex mutex;
  std::map<std::pair<const float*, FloatType>, std::weak_ptr<PackedModel>> models;
};

Registry& TheRegistry() {
  static Registry registry;
  return registry;
}

// Rows of a tensor, or its elements where it has one axis.
struct Tensor {
  int64_t offset, rows;
};

// A matrix to be packed, and the tensors whose rows of k it has, one below the other.
struct Source {
  kernels::PackedMatrix* to;
  int64_t k;
  std::vector<Tensor> tensors;
};

int64_t Rows(const Source& source) {
  int64_t rows = 0;
  for (const Tensor& tensor : source.tensors) rows += tensor.rows;
  return rows;
}

// Words that its panels take.
size_t PackedWords(const Source& source, const Buffer<float>&) {
  return static_cast<size_t>(kernels::PackedSize(Rows(source), source.k));
}
size_t PackedWords(const Source& source, const Buffer<uint32_t>&) {
  return static_cast<size_t>(kernels::PackedPairs(Rows(source), source.k));
}

// In the order in which a forward reads them.
std::vector<Source> Sources(const ModelConfig& config, const TensorOffsets& offsets,
                            PackedModel* model) {
  const int64_t d = config.hidden_size, q = config.q_dim(), kv = config.kv_dim(),
                f = config.intermediate_size, g = config.expert_size;
  std::vector<Source> sources;
  for (size_t l = 0; l < offsets.layers.size(); ++l) {
    const LayerOffsets& at = offsets.layers[l];
    PackedLayer& layer = model->layers[l];
    sources.push_back({&layer.qkv, d, {{at.q, q}, {at.k, kv}, {at.v, kv}}});
    sources.push_back({&layer.o, q, {{at.o, d}}});
    if (at.router == kAbsent) {
      sources.push_back({&layer.gate, d, {{at.gate, f}}});
      sources.push_back({&layer.up, d, {{at.up, f}}});
      sources.push_back({&layer.down, f, {{at.down, d}}});
    } else {
      sources.push_back({&layer.router, d, {{at.router, config.num_experts}}});
    }
    layer.experts.resize(at.experts.size());
    for (size_t e = 0; e < at.experts.size(); ++e) {
      sources.push_back({&layer.experts[e].gate, d, {{at.experts[e].gate, g}}});
      sources.push_back({&layer.experts[e].up, d, {{at.experts[e].up, g}}});
      sources.push_back({&layer.experts[e].down, g, {{at.experts[e].down, d}}});
    }
  }
  sources.push_back({&model->head, d, {{offsets.head, config.vocab_size}}});
  return sources;
}

}  // namespace

PackedWeights::PackedWeights(const ModelConfig& config, const WeightsLayout& layout, FloatType type)
    : config_(config), layout_(layout), offsets_(MakeOffsets(config, layout)), type_(type) {}

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
    registry.models.erase({model_->weights, type_});  // from now on memory only
  }
}

const PackedModel& PackedWeights::Get(const kernels::Exec& exec) {
  if (ready_) return *model_;
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  const auto found = registry.models.find({weights_, type_});
  if (std::shared_ptr<PackedModel> shared;
      found != registry.models.end() && (shared = found->second.lock()) != nullptr) {
    model_ = std::move(shared);
  } else {
    if (model_ == nullptr) model_ = std::make_shared<PackedModel>();
    Pack(exec, model_.get());
    registry.models[{weights_, type_}] = model_;
  }
  ready_ = true;
  return *model_;
}

void PackedWeights::Pack(const kernels::Exec& exec, PackedModel* model) {
  model->weights = model->data = weights_;
  model->layers.resize(offsets_.layers.size());
  if (type_ == FloatType::kF32) {
    PackAll(exec, model, &model->panels);
  } else {
    const auto size = static_cast<size_t>(layout_.size);
    model->rounded.Reserve(size);
    RoundMatrices(layout_, {weights_, size}, exec.pool, model->rounded.span());
    model->data = model->rounded.data();
    PackAll(exec, model, &model->bf16_pairs);
  }
  CopyBiases(model);
}

template <class Word>
void PackedWeights::PackAll(const kernels::Exec& exec, PackedModel* model, Buffer<Word>* panels) {
  const std::vector<Source> sources = Sources(config_, offsets_, model);
  size_t words = 0;
  for (const Source& source : sources) words += PackedWords(source, *panels);
  panels->Reserve(words);
  Word* next = panels->data();
  for (const Source& source : sources) {
    const float* rows = model->data + source.tensors[0].offset;
    if (source.tensors.size() > 1) {
      stack_.Reserve(static_cast<size_t>(Rows(source) * source.k));
      rows = stack_.data();
      float* to = stack_.data();
      for (const Tensor& tensor : source.tensors) {
        to = std::copy_n(model->data + tensor.offset, tensor.rows * source.k, to);
      }
    }
    *source.to = PackTransposed(exec, rows, Rows(source), source.k, next);
    next += PackedWords(source, *panels);
  }
}

void PackedWeights::CopyBiases(PackedModel* model) {
  const int64_t q = config_.q_dim(), kv = config_.kv_dim(), f = config_.intermediate_size;
  // Of tensors (offset, size), one after the other.
  const auto copy = [&](std::initializer_list<Tensor> parts, Buffer<float>* to) {
    int64_t size = 0;
    for (const Tensor& part : parts) size += part.rows;
    to->Reserve(static_cast<size_t>(size));
    float* end = to->data();
    for (const Tensor& part : parts) end = std::copy_n(weights_ + part.offset, part.rows, end);
  };
  for (size_t l = 0; l < offsets_.layers.size(); ++l) {
    const LayerOffsets& at = offsets_.layers[l];
    PackedLayer& layer = model->layers[l];
    if (config_.qkv_bias) {
      copy({{at.q_bias, q}, {at.k_bias, kv}, {at.v_bias, kv}}, &layer.qkv_bias);
    }
    if (config_.mlp_bias) copy({{at.gate_bias, f}, {at.up_bias, f}}, &layer.gate_up_bias);
  }
}

}  // namespace hone
