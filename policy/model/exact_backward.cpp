// The backward of a kept forward. Each element of a gradient is one chain in order of the rows that
// goes on from what `grads` holds, so cutting a step's groups into other batches changes no bit.
#include <algorithm>

#include "common/error.h"
#include "kernels/embedding.h"
#include "kernels/gated.h"
#include "policy/model/exact_backend.h"

namespace hone {

void ExactBackend::Backward(std::span<const float> dlogprobs, std::span<const float> dentropies,
                            std::span<float> grads) {
  if (!kept_.valid) throw RunError("a backward needs a forward that was kept, one for each");
  kept_.valid = false;
  const size_t targets = kept_.targets.size();
  CheckSize("gradients of log-probabilities", targets, dlogprobs.size());
  if (!dentropies.empty()) CheckSize("gradients of entropies", targets, dentropies.size());
  CheckSize("gradients of weights", static_cast<size_t>(layout_.size), grads.size());
  if (kept_.batch.rows() == 0) return;

  std::vector<int32_t> component_of_span;
  std::vector<size_t> counts;
  const int32_t components = FindComponents(kept_.plan, &component_of_span);
  const std::vector<int32_t> ids = TargetsByComponent(component_of_span, components, &counts);
  // Kept logits stand in order of the targets; they serve where that is the components' order.
  if (!std::is_sorted(ids.begin(), ids.end())) kept_.has_logits = false;
  const bool tied = config_.tie_word_embeddings;
  back_.d_x_TD.Resize(static_cast<size_t>(kept_.batch.rows() * config_.hidden_size));
  HeadGradient gradient{dlogprobs, dentropies, grads.data(), /*inputs=*/true, /*weights=*/!tied};
  HeadBackward(ids, gradient);
  for (int64_t l = config_.num_layers - 1; l >= 0; --l) {
    const LayerTape& tape = KeptLayer(l);
    if (config_.has_experts(l)) {
      BackwardExperts(l, tape, grads.data());
    } else {
      BackwardFeedForward(l, tape, grads.data());
    }
    BackwardAttention(l, tape, grads.data());
    BackwardProjections(l, tape, grads.data());
  }
  if (!tied) return BackwardEmbedding(0, kept_.batch.rows(), grads.data());

  // Tied, head and embedding add to one tensor. Its chain goes component by component, head then
  // embedding, else it would depend on which groups share a batch; logits that were not kept are
  // computed again for it.
  gradient.inputs = false;
  gradient.weights = true;
  size_t first = 0;
  for (int32_t c = 0; c < components; ++c) {
    HeadBackward(std::span(ids).subspan(first, counts[c]), gradient);
    first += counts[c];
    for (size_t s = 0; s < component_of_span.size(); ++s) {
      const auto& span = kept_.plan.spans[s];
      if (component_of_span[s] == c) BackwardEmbedding(span.first_row, span.rows, grads.data());
    }
  }
}

void ExactBackend::BackwardEmbedding(int32_t first_row, int32_t rows, float* grads) {
  const int64_t d = config_.hidden_size;
  kernels::EmbedBackward(exec_, back_.d_x_TD.data() + first_row * d,
                         kept_.batch.tokens_T.data() + first_row, rows, d, grads + offsets_.embed,
                         static_cast<float>(config_.embedding_scale));
}

const float* ExactBackend::BackwardBranchEnd(const Buffer<float>& branch, int64_t bias,
                                             int64_t norm, float* grads) {
  const int64_t t = kept_.batch.rows(), d = config_.hidden_size;
  const float* d_out = back_.d_x_TD.data();
  if (norm != kAbsent) {
    back_.d_branch_TD.Resize(static_cast<size_t>(t * d));
    kernels::RmsNorm(exec_, branch.data(), Data(norm), eps(), t, d, back_.normed_TD.data(),
                     back_.inv_rms_T.data(), norm_offset());
    kernels::RmsNormBackward(exec_, d_out, branch.data(), Data(norm), back_.inv_rms_T.data(), t, d,
                             back_.d_branch_TD.data(), grads + norm, norm_offset());
    d_out = back_.d_branch_TD.data();
  }
  if (bias != kAbsent) kernels::BiasGrad(exec_, d_out, d, t, d, grads + bias);
  return d_out;
}

// Of  out = mid + down(act(gate_up(norm(mid)))): d_x_TD goes from the gradient by out to that by
// mid.
void ExactBackend::BackwardFeedForward(int64_t l, const LayerTape& tape, float* grads) {
  const int64_t t = kept_.batch.rows(), d = config_.hidden_size, f = config_.intermediate_size;
  const LayerOffsets& at = offsets_.layers[l];
  for (auto* buffer : {&back_.act_TF, &back_.d_act_TF}) buffer->Reserve(static_cast<size_t>(t * f));
  for (auto* buffer : {&back_.normed_TD, &back_.d_normed_TD})
    buffer->Reserve(static_cast<size_t>(t * d));
  back_.d_gate_up_T2F.Reserve(static_cast<size_t>(t * 2 * f));
  back_.inv_rms_T.Reserve(static_cast<size_t>(t));
  float* d_x = back_.d_x_TD.data();
  float* d_gate_up = back_.d_gate_up_T2F.data();
  float* normed = back_.normed_TD.data();

  const float* d_out = BackwardBranchEnd(tape.mlp_out_TD, at.down_bias, at.mlp_out_norm, grads);
  kernels::MatmulGradInput(exec_, d_out, d, Data(at.down), t, d, f, back_.d_act_TF.data(), f);
  kernels::GatedBackward(exec_, config_.activation, back_.d_act_TF.data(), tape.gate_up_T2F.data(),
                         t, f, d_gate_up, back_.act_TF.data());
  kernels::MatmulGradWeight(exec_, d_out, d, back_.act_TF.data(), f, t, d, f, grads + at.down);
  if (config_.mlp_bias) {
    kernels::BiasGrad(exec_, d_gate_up, 2 * f, t, f, grads + at.gate_bias);
    kernels::BiasGrad(exec_, d_gate_up + f, 2 * f, t, f, grads + at.up_bias);
  }
  kernels::RmsNorm(exec_, tape.mid_TD.data(), Data(at.mlp_norm), eps(), t, d, normed,
                   back_.inv_rms_T.data(), norm_offset());
  float* d_normed = back_.d_normed_TD.data();
  // Where the weights of gate and up follow each other, as in most families, they are one matrix;
  // the chains are the same.
  const bool one = at.up == at.gate + f * d;
  const int64_t gate_rows = one ? 2 * f : f;
  kernels::MatmulGradWeight(exec_, d_gate_up, 2 * f, normed, d, t, gate_rows, d, grads + at.gate);
  kernels::MatmulGradInput(exec_, d_gate_up, 2 * f, Data(at.gate), t, gate_rows, d, d_normed, d);
  if (!one) {
    kernels::MatmulGradWeight(exec_, d_gate_up + f, 2 * f, normed, d, t, f, d, grads + at.up);
    kernels::MatmulGradInput(exec_, d_gate_up + f, 2 * f, Data(at.up), t, f, d, d_normed, d,
                             /*accumulate=*/true);
  }
  kernels::RmsNormBackward(exec_, d_normed, tape.mid_TD.data(), Data(at.mlp_norm),
                           back_.inv_rms_T.data(), t, d, d_x, grads + at.mlp_norm, norm_offset());
}

// Of  mid = x + o(attention(q, k, v)): leaves the gradient by q | k | v, before the rotation, in
// d_qkv_TC. d_x_TD stays: the residual's part of the gradient by x.
void ExactBackend::BackwardAttention(int64_t l, const LayerTape& tape, float* grads) {
  const int64_t t = kept_.batch.rows(), d = config_.hidden_size, q_dim = config_.q_dim(),
                kv_dim = config_.kv_dim();
  const int64_t columns = q_dim + 2 * kv_dim, spans = static_cast<int64_t>(kept_.plan.spans.size());
  back_.d_attention_TQ.Reserve(static_cast<size_t>(t * q_dim));
  back_.d_qkv_TC.Reserve(static_cast<size_t>(t * columns));
  const size_t paged =
      static_cast<size_t>(kept_.plan.used_blocks * kv_dim * kernels::kPagePositions);
  back_.grad_k.Resize(paged);
  back_.grad_v.Resize(paged);
  const LayerOffsets& at = offsets_.layers[l];
  float* d_qkv = back_.d_qkv_TC.data();

  const float* d_out =
      BackwardBranchEnd(tape.attention_out_TD, at.o_bias, at.attention_out_norm, grads);
  kernels::MatmulGradWeight(exec_, d_out, d, tape.attention_TQ.data(), q_dim, t, d, q_dim,
                            grads + at.o);
  kernels::MatmulGradInput(exec_, d_out, d, Data(at.o), t, d, q_dim, back_.d_attention_TQ.data(),
                           q_dim);
  kernels::AttentionBackward(
      exec_, ShapeOf(l), kept_.plan.spans.data(), spans, tape.qkv_TC.data(), columns,
      kept_.cache->k(l), kept_.cache->v(l), tape.attention_TQ.data(), q_dim, tape.stats_TH2.data(),
      back_.d_attention_TQ.data(), q_dim, d_qkv, columns, back_.grad_k.data(), back_.grad_v.data());
  for (auto copy = kept_.plan.copies.rbegin(); copy != kept_.plan.copies.rend(); ++copy) {
    kernels::CopyKvPageBackward(shape_, copy->source, copy->target, copy->slots,
                                back_.grad_k.data(), back_.grad_v.data());
  }
  kernels::ReadKvGrad(exec_, shape_, kept_.plan.spans.data(), spans, back_.grad_k.data(),
                      back_.grad_v.data(), d_qkv + q_dim, d_qkv + q_dim + kv_dim, columns);
  kernels::Rope(exec_, d_qkv, columns, t, config_.num_heads + config_.num_kv_heads,
                kept_.plan.positions_T.data(), RopeOf(l), /*inverse=*/true);
  if (!config_.qk_norm) return;
  const int64_t before = q_dim + kv_dim;  // columns of the tape's q | k
  kernels::RmsNormHeadsBackward(exec_, QNorm(l), t, tape.qk_TB.data(), before, d_qkv, columns,
                                grads + at.q_norm);
  kernels::RmsNormHeadsBackward(exec_, KNorm(l), t, tape.qk_TB.data() + q_dim, before,
                                d_qkv + q_dim, columns, grads + at.k_norm);
}

// Of  q | k | v = projections(norm(x)): adds to d_x_TD, which then is the gradient by x.
void ExactBackend::BackwardProjections(int64_t l, const LayerTape& tape, float* grads) {
  const int64_t t = kept_.batch.rows(), d = config_.hidden_size, q_dim = config_.q_dim(),
                kv_dim = config_.kv_dim();
  const int64_t columns = q_dim + 2 * kv_dim;
  const LayerOffsets& at = offsets_.layers[l];
  float* normed = back_.normed_TD.data();
  kernels::RmsNorm(exec_, tape.x_TD.data(), Data(at.attention_norm), eps(), t, d, normed,
                   back_.inv_rms_T.data(), norm_offset());
  struct Projection {
    int64_t column, size, weight, bias;
  };
  for (const Projection& part : {Projection{0, q_dim, at.q, at.q_bias},
                                 {q_dim, kv_dim, at.k, at.k_bias},
                                 {q_dim + kv_dim, kv_dim, at.v, at.v_bias}}) {
    const float* d_part = back_.d_qkv_TC.data() + part.column;
    kernels::MatmulGradWeight(exec_, d_part, columns, normed, d, t, part.size, d,
                              grads + part.weight);
    if (config_.qkv_bias)
      kernels::BiasGrad(exec_, d_part, columns, t, part.size, grads + part.bias);
    kernels::MatmulGradInput(exec_, d_part, columns, Data(part.weight), t, part.size, d,
                             back_.d_normed_TD.data(), d, /*accumulate=*/part.column > 0);
  }
  kernels::RmsNormBackward(exec_, back_.d_normed_TD.data(), tape.x_TD.data(),
                           Data(at.attention_norm), back_.inv_rms_T.data(), t, d,
                           back_.d_x_TD.data(), grads + at.attention_norm, norm_offset());
}

}  // namespace hone
