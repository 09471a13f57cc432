#include "policy/model/packed_weights.h"

#include <algorithm>
#include <utility>

namespace hone {

using kernels::PackTransposed;

PackedWeights::PackedWeights(const ModelConfig& config, const TensorOffsets& offsets)
    : config_(config), offsets_(offsets) {
  forward_.layers.resize(offsets_.layers.size());
  if (config_.qkv_bias) qkv_bias_.resize(offsets_.layers.size());
}

const float* PackedWeights::qkv_bias(size_t layer) const {
  return config_.qkv_bias ? qkv_bias_[layer].data() : nullptr;
}

// Each part is (offset, rows) of a tensor [rows, columns].
const float* PackedWeights::StackRows(const float* weights,
                                      std::initializer_list<std::pair<int64_t, int64_t>> parts,
                                      int64_t columns) {
  int64_t rows = 0;
  for (const auto& part : parts) rows += part.second;
  stack_.Reserve(static_cast<size_t>(rows * columns));
  float* out = stack_.data();
  for (const auto& [offset, count] : parts)
    out = std::copy_n(weights + offset, count * columns, out);
  return stack_.data();
}

void PackedWeights::Set(const kernels::Exec& exec, const float* weights) {
  const int64_t d = config_.hidden_size, q = config_.q_dim(), kv = config_.kv_dim(),
                f = config_.intermediate_size;
  for (size_t l = 0; l < offsets_.layers.size(); ++l) {
    const LayerOffsets& at = offsets_.layers[l];
    PackedLayer& layer = forward_.layers[l];
    const float* qkv = StackRows(weights, {{at.q, q}, {at.k, kv}, {at.v, kv}}, d);
    PackTransposed(exec, qkv, q + 2 * kv, d, &layer.qkv);
    PackTransposed(exec, weights + at.o, d, q, &layer.o);
    PackTransposed(exec, weights + at.gate, f, d, &layer.gate);
    PackTransposed(exec, weights + at.up, f, d, &layer.up);
    PackTransposed(exec, weights + at.down, d, f, &layer.down);
    if (!config_.qkv_bias) continue;
    qkv_bias_[l].Reserve(static_cast<size_t>(q + 2 * kv));
    float* bias = std::copy_n(weights + at.q_bias, q, qkv_bias_[l].data());
    std::copy_n(weights + at.v_bias, kv, std::copy_n(weights + at.k_bias, kv, bias));
  }
  PackTransposed(exec, weights + offsets_.head, config_.vocab_size, d, &forward_.head);
}

}  // namespace hone
