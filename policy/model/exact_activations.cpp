// A training forward over rows that were computed before. Their activations lie where the sampler
// left them until the backward comes to a layer: then each thread copies its rows side by side, but
// for the largest part, gate and up, which is read where it is, and writes their keys and values to
// the cache.
#include <algorithm>

#include "common/error.h"
#include "kernels/parallel.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

const ExactActivations& ActivationsOf(const ActivationRow& row) {
  return static_cast<const ExactActivations&>(*row.of);
}

// Rows [first, first + rows) of one buffer, `width` floats each, side by side. of: what gives the
// buffer of an ExactActivations.
template <class Of>
void CopyRows(const kernels::Exec& exec, std::span<const ActivationRow> known, int64_t first,
              int64_t rows, int64_t width, const Of& of, float* to) {
  kernels::ParallelFor(exec, rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = first + begin; i < first + end; ++i) {
      const Buffer<float>& from = of(ActivationsOf(known[i]));
      std::copy_n(from.data() + known[i].row * width, width, to + i * width);
    }
  });
}

}  // namespace

void ExactBackend::TakeKnown(std::span<const ActivationRow> known) {
  const int64_t d = config_.hidden_size;
  for (const ActivationRow& row : known) {
    const auto* of = dynamic_cast<const ExactActivations*>(row.of);
    const int64_t rows = of == nullptr ? 0 : static_cast<int64_t>(of->x_TD.size()) / d;
    if (of == nullptr || row.row < 0 || row.row >= rows ||
        static_cast<int64_t>(of->layers.size()) != config_.num_layers) {
      throw RunError("a row's activations are not this backend's, or of another model");
    }
  }
  x_TD_.Reserve(known.size() * static_cast<size_t>(d));
  CopyRows(
      exec_, known, 0, static_cast<int64_t>(known.size()), d,
      [](const auto& from) -> auto& { return from.x_TD; }, x_TD_.data());
}

std::vector<ExactBackend::KnownPart> ExactBackend::KnownParts() const {
  const int64_t d = config_.hidden_size, q_dim = config_.q_dim(), kv_dim = config_.kv_dim();
  std::vector<KnownPart> parts = {{d, &LayerTape::x_TD},
                                  {q_dim + 2 * kv_dim, &LayerTape::qkv_TC},
                                  {q_dim, &LayerTape::attention_TQ},
                                  {config_.num_heads * 2, &LayerTape::stats_TH2},
                                  {d, &LayerTape::mid_TD}};
  if (config_.qk_norm) parts.push_back({q_dim + kv_dim, &LayerTape::qk_TB});
  if (config_.post_norms) {
    parts.push_back({d, &LayerTape::attention_out_TD});
    parts.push_back({d, &LayerTape::mlp_out_TD});
  }
  return parts;
}

void ExactBackend::ReserveKnown() {
  if (kept_.known.empty()) return;
  for (LayerTape& tape : back_.known) {
    for (const KnownPart& part : KnownParts()) {
      (tape.*part.of).Reserve(kept_.known.size() * static_cast<size_t>(part.width));
    }
  }
}

void ExactBackend::TakeLayer(int64_t l, const RowsPart& part) {
  if (kept_.known.empty()) return;
  LayerTape& tape = back_.known[l % 2];
  for (const KnownPart& known : KnownParts()) {
    CopyRows(
        part.exec, kept_.known, part.first, part.rows,
        known.width, [&](const auto& from) -> auto& { return from.layers[l].*known.of; },
        (tape.*known.of).data());
  }
  const auto& spans = part.scratch.spans;
  const float* k = tape.qkv_TC.data() + config_.q_dim();
  kernels::WriteKv(part.exec, shape_, spans.data(), std::ssize(spans), k, k + config_.kv_dim(),
                   config_.q_dim() + 2 * config_.kv_dim(), kept_.cache->k(l), kept_.cache->v(l));
}

const float* ExactBackend::GateUpOf(int64_t l, int64_t row) const {
  const int64_t width =
      2 * (config_.has_experts(l) ? config_.experts_per_token * config_.expert_size
                                  : config_.intermediate_size);
  if (kept_.known.empty()) return kept_.layers[l].gate_up_T2F.data() + row * width;
  const ActivationRow& known = kept_.known[row];
  return ActivationsOf(known).layers[l].gate_up_T2F.data() + known.row * width;
}

}  // namespace hone
