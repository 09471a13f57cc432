#include "policy/model/exact_backend.h"

#include <utility>

#include "common/error.h"

namespace hone {

ExactBackend::ExactBackend(const ModelConfig& config, int threads, kernels::Isa isa)
    : config_(config),
      layout_(MakeLayout(config)),
      offsets_(MakeOffsets(config, layout_)),
      pool_(threads),
      exec_{&pool_, isa},
      shape_{config.num_heads, config.num_kv_heads, config.head_dim},
      rope_(kernels::MakeRopeTable(config.head_dim, config.max_position_embeddings,
                                   config.rope_theta)),
      packed_(config, offsets_) {}

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

void ExactBackend::CheckReady() const {
  if (!weights_) throw RunError("the backend has no weights yet: SetWeights comes first");
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
