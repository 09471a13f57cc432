#include "policy/model/exact_backend.h"

#include <utility>

#include "common/error.h"
#include "policy/model/rope_frequencies.h"

namespace hone {

ExactBackend::ExactBackend(const ModelConfig& config, FloatType type, int threads, kernels::Isa isa)
    : config_(config),
      layout_(MakeLayout(config)),
      offsets_(MakeOffsets(config, layout_)),
      pool_(threads),
      exec_{&pool_, isa},
      shape_{.heads = config.num_heads,
             .kv_heads = config.num_kv_heads,
             .head_dim = config.head_dim,
             .scale = static_cast<float>(config.attention_scale),
             .softcap = static_cast<float>(config.attention_softcap)},
      rope_(kernels::MakeRopeTable(
          config.head_dim, config.max_position_embeddings,
          InverseFrequencies(config.rope_theta, config.turned_dim(), config.rope_scaling),
          static_cast<float>(config.rope_scaling.attention_factor))),
      local_rope_(config.local_rope_theta > 0
                      ? kernels::MakeRopeTable(
                            config.head_dim, config.max_position_embeddings,
                            InverseFrequencies(config.local_rope_theta, config.turned_dim(), {}))
                      : kernels::RopeTable()),
      packed_(config, layout_, type) {}

void ExactBackend::SetWeights(std::shared_ptr<const Weights> weights) {
  if (weights == weights_) return;
  CheckSize("weights", static_cast<size_t>(layout_.size), weights->data.size());
  kept_.valid = false;
  // The old version goes last: its memory, and so its address, may be another's at once.
  const std::shared_ptr<const Weights> old = std::exchange(weights_, std::move(weights));
  packed_.Set(weights_->data.data());
}

const Weights& ExactBackend::weights() const {
  CheckReady();
  return *weights_;
}

kernels::AttentionShape ExactBackend::ShapeOf(int64_t l) const {
  kernels::AttentionShape shape = shape_;
  shape.window = config_.window(l);
  return shape;
}

const kernels::RopeTable& ExactBackend::RopeOf(int64_t l) const {
  return config_.local_rope(l) ? local_rope_ : rope_;
}

kernels::HeadNorm ExactBackend::QNorm(int64_t l) const {
  return {Data(offsets_.layers[l].q_norm), eps(), norm_offset(), config_.num_heads,
          config_.head_dim};
}

kernels::HeadNorm ExactBackend::KNorm(int64_t l) const {
  return {Data(offsets_.layers[l].k_norm), eps(), norm_offset(), config_.num_kv_heads,
          config_.head_dim};
}

void ExactBackend::CheckReady() const {
  if (!weights_) throw RunError("the backend has no weights yet: SetWeights comes first");
}

// With all threads, before one of them asks for its part.
void ExactBackend::LayOutWeights() {
  CheckReady();
  packed_.Get(exec_);
}

std::unique_ptr<KvCache> ExactBackend::NewCache(int32_t pages, int32_t page_size) {
  CheckPageSize(page_size);
  return std::make_unique<ExactCache>(config_, pages, page_size);
}

ExactCache& ExactBackend::CacheOf(KvCache& cache) const {
  auto* exact = dynamic_cast<ExactCache*>(&cache);
  if (exact == nullptr || !exact->Fits(config_)) {
    throw RunError("the key/value cache was made by another backend or for another model");
  }
  return *exact;
}

}  // namespace hone
