// What the backward of a layer adds to the gradients of its weights, in shares that threads take
// side by side: each element is one chain over all rows, which its owner runs alone.
#include <algorithm>

#include "policy/model/exact_backend.h"

namespace hone {

// w [n, k], its pieces one below the other, as the gradient by x wants it.
void ExactBackend::PackPieces(const WeightShare& share, Pieces pieces, int64_t k,
                              ProjectionScratch* to) {
  int64_t n = 0, row = 0;
  for (const Piece& piece : pieces) n += piece.rows;
  for (const Piece& piece : pieces) {
    const auto [begin, end] = share.Of(piece.rows);
    kernels::PackRows(share.exec, Data(piece.offset) + begin * k, k, end - begin, k, n, row + begin,
                      to->w_panels.data());
    row += piece.rows;
  }
}

void ExactBackend::PackQkv(int64_t l, const WeightShare& share) {
  const LayerOffsets& at = offsets_.layers[l];
  PackPieces(share, {{at.q, config_.q_dim()}, {at.k, config_.kv_dim()}, {at.v, config_.kv_dim()}},
             config_.hidden_size, &back_.qkv);
}

void ExactBackend::PackBranches(int64_t l, const WeightShare& share) {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const LayerOffsets& at = offsets_.layers[l];
  PackPieces(share, {{at.o, d}}, config_.q_dim(), &back_.o);
  if (config_.has_experts(l)) return;
  PackPieces(share, {{at.gate, f}, {at.up, f}}, d, &back_.gate_up);
  PackPieces(share, {{at.down, d}}, f, &back_.down);
}

// Adds to the gradients of w's pieces [rows, k] and of their biases, where there are any.
void ExactBackend::WeightGradient(const WeightShare& share, const ProjectionScratch& of,
                                  Pieces weights, Pieces biases, int64_t k, float* grads) {
  const int64_t t = kept_.batch.rows(), stride = GradStride();
  const kernels::PackedMatrix x = {.k = t, .n = k, .panels = of.x_panels.data()};
  const float* dy = of.dy_NT.data();
  for (const Piece& piece : weights) {
    const auto [begin, end] = share.Of(piece.rows);
    float* dw = grads + piece.offset + begin * k;
    kernels::Matmul(share.exec, dy + begin * stride, stride, end - begin, x, dw, k, nullptr, dw);
    dy += piece.rows * stride;
  }
  dy = of.dy_NT.data();
  for (const Piece& piece : biases) {
    if (piece.offset == kAbsent) continue;
    const auto [begin, end] = share.Of(piece.rows);
    kernels::BiasGrad(share.exec, dy + begin * stride, stride, end - begin, t,
                      grads + piece.offset + begin);
    dy += piece.rows * stride;
  }
}

void ExactBackend::NormGradient(const WeightShare& share, const NormScratch& of,
                                const Buffer<float>& x_TD, int64_t norm, float* grads) {
  if (norm == kAbsent) return;
  const auto [begin, end] = share.Of(config_.hidden_size);
  kernels::RmsNormBackwardWeight(share.exec, of.dy_TD.data(), x_TD.data(), of.inv_rms_T.data(),
                                 kept_.batch.rows(), config_.hidden_size, begin, end, grads + norm);
}

void ExactBackend::FeedForwardWeights(int64_t l, const WeightShare& share, float* grads) {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const LayerOffsets& at = offsets_.layers[l];
  const LayerTape& tape = TapeOf(l);
  NormGradient(share, back_.mlp_out_norm, tape.mlp_out_TD, at.mlp_out_norm, grads);
  WeightGradient(share, back_.down, {{at.down, d}}, {{at.down_bias, d}}, f, grads);
  WeightGradient(share, back_.gate_up, {{at.gate, f}, {at.up, f}},
                 {{at.gate_bias, f}, {at.up_bias, f}}, d, grads);
  NormGradient(share, back_.mlp_norm, tape.mid_TD, at.mlp_norm, grads);
}

void ExactBackend::AttentionOutWeights(int64_t l, const WeightShare& share, float* grads) {
  const int64_t d = config_.hidden_size;
  const LayerOffsets& at = offsets_.layers[l];
  NormGradient(share, back_.attention_out_norm, TapeOf(l).attention_out_TD, at.attention_out_norm,
               grads);
  WeightGradient(share, back_.o, {{at.o, d}}, {{at.o_bias, d}}, config_.q_dim(), grads);
}

void ExactBackend::ProjectionWeights(int64_t l, const WeightShare& share, float* grads) {
  const int64_t q_dim = config_.q_dim(), kv_dim = config_.kv_dim(), t = kept_.batch.rows();
  const LayerOffsets& at = offsets_.layers[l];
  const LayerTape& tape = TapeOf(l);
  WeightGradient(share, back_.qkv, {{at.q, q_dim}, {at.k, kv_dim}, {at.v, kv_dim}},
                 {{at.q_bias, q_dim}, {at.k_bias, kv_dim}, {at.v_bias, kv_dim}},
                 config_.hidden_size, grads);
  NormGradient(share, back_.attention_norm, tape.x_TD, at.attention_norm, grads);
  if (!config_.qk_norm) return;
  const int64_t before = q_dim + kv_dim;
  const float *d_qk = back_.d_qk_TB.data(), *inv_rms = back_.inv_rms_TH.data();
  const auto [begin, end] = share.Of(config_.head_dim);
  kernels::RmsNormHeadsBackwardWeight(share.exec, QNorm(l), t, tape.qk_TB.data(), before, d_qk,
                                      before, inv_rms, begin, end, grads + at.q_norm);
  kernels::RmsNormHeadsBackwardWeight(share.exec, KNorm(l), t, tape.qk_TB.data() + q_dim, before,
                                      d_qk + q_dim, before, inv_rms + t * config_.num_heads, begin,
                                      end, grads + at.k_norm);
}

}  // namespace hone
