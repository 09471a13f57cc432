// A training forward over rows that were computed before. Their activations lie where the sampler
// left them until the backward comes to a layer: then its rows are copied side by side, in memory
// that is still in a cache from the layer before, and keys and values to the cache.
#include <algorithm>

#include "common/error.h"
#include "kernels/parallel.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

// The rows' parts of one buffer, `width` floats each. Of: what gives the buffer of an Activations.
template <class Of>
void CopyRows(const kernels::Exec& exec, std::span<const ActivationRow> known, int64_t width,
              const Of& of, Buffer<float>* to) {
  const auto rows = static_cast<int64_t>(known.size());
  to->Reserve(static_cast<size_t>(rows * width));
  kernels::ParallelFor(exec, rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Buffer<float>& from = of(static_cast<const ExactActivations&>(*known[i].of));
      std::copy_n(from.data() + known[i].row * width, width, to->data() + i * width);
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
  CopyRows(
      exec_, known, d, [](const auto& from) -> auto& { return from.x_TD; }, &x_TD_);
}

const LayerTape& ExactBackend::KeptLayer(int64_t l) {
  if (kept_.known.empty()) return kept_.layers[l];
  const int64_t d = config_.hidden_size, q_dim = config_.q_dim();
  LayerTape& tape = back_.known;
  const auto copy = [&](int64_t width, Buffer<float> LayerTape::*part) {
    CopyRows(
        exec_, kept_.known, width,
        [ l, part ](const auto& from) -> auto& { return from.layers[l].*part; }, &(tape.*part));
  };
  copy(d, &LayerTape::x_TD);
  copy(q_dim + 2 * config_.kv_dim(), &LayerTape::qkv_TC);
  copy(q_dim, &LayerTape::attention_TQ);
  if (config_.qk_norm) copy(q_dim + config_.kv_dim(), &LayerTape::qk_TB);
  if (config_.post_norms) {
    copy(d, &LayerTape::attention_out_TD);
    copy(d, &LayerTape::mlp_out_TD);
  }
  copy(config_.num_heads * 2, &LayerTape::stats_TH2);
  copy(d, &LayerTape::mid_TD);
  copy(2 * (config_.has_experts(l) ? config_.experts_per_token * config_.expert_size
                                   : config_.intermediate_size),
       &LayerTape::gate_up_T2F);
  const auto spans = static_cast<int64_t>(kept_.plan.spans.size());
  WriteCache(l, {exec_, {0, kept_.batch.rows(), 0, spans}}, kept_.plan, tape, *kept_.cache);
  return tape;
}

}  // namespace hone
