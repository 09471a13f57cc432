// The one forward over a ragged batch. Every kernel keeps rows apart, so what stands here needs no
// care for batch invariance; attention reads earlier positions from the cache alone, also those of
// this batch.
#include <algorithm>

#include "kernels/embedding.h"
#include "kernels/gated_matmul.h"
#include "kernels/parallel.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

// The first `width` columns of x [rows, ld].
void CopyColumns(const kernels::Exec& exec, const float* x, int64_t ld, int64_t rows, int64_t width,
                 Buffer<float>* to) {
  to->Reserve(static_cast<size_t>(rows * width));
  kernels::ParallelFor(exec, rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      std::copy_n(x + row * ld, width, to->data() + row * width);
    }
  });
}

}  // namespace

void ExactBackend::RunLayers(const Batch& batch, const BatchPlan& plan, ExactCache& cache,
                             std::vector<LayerTape>* tapes) {
  const int64_t rows = batch.rows(), d = config_.hidden_size;
  const bool keep = tapes != nullptr;
  x_TD_.Reserve(static_cast<size_t>(rows * d));
  if (keep) tapes->resize(static_cast<size_t>(config_.num_layers));
  kernels::Embed(exec_, Data(offsets_.embed), batch.tokens_T.data(), rows, d, x_TD_.data(),
                 static_cast<float>(config_.embedding_scale));
  for (int64_t l = 0; l < config_.num_layers; ++l) {
    LayerTape& tape = keep ? (*tapes)[l] : scratch_;
    if (keep) CopyColumns(exec_, x_TD_.data(), d, rows, d, &tape.x_TD);
    Attend(l, rows, plan, cache, keep, &tape);
    if (keep) CopyColumns(exec_, x_TD_.data(), d, rows, d, &tape.mid_TD);
    if (config_.has_experts(l)) {
      Experts(l, rows, keep, &tape);
    } else {
      FeedForward(l, rows, &tape);
    }
  }
}

// x += o_proj(attention(norm(x)))
void ExactBackend::Attend(int64_t l, int64_t rows, const BatchPlan& plan, ExactCache& cache,
                          bool keep, LayerTape* tape) {
  const int64_t d = config_.hidden_size, q_dim = config_.q_dim(), kv_dim = config_.kv_dim();
  const int64_t columns = q_dim + 2 * kv_dim, spans = static_cast<int64_t>(plan.spans.size());
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  const LayerOffsets& at = offsets_.layers[l];
  normed_TD_.Reserve(static_cast<size_t>(rows * d));
  tape->qkv_TC.Reserve(static_cast<size_t>(rows * columns));
  tape->attention_TQ.Reserve(static_cast<size_t>(rows * q_dim));
  if (keep) tape->stats_TH2.Reserve(static_cast<size_t>(rows * config_.num_heads * 2));
  float* qkv = tape->qkv_TC.data();

  kernels::RmsNorm(exec_, x_TD_.data(), Data(at.attention_norm), eps(), rows, d, normed_TD_.data(),
                   nullptr, norm_offset());
  kernels::Matmul(exec_, normed_TD_.data(), d, rows, packed.qkv, qkv, columns,
                  config_.qkv_bias ? packed.qkv_bias.data() : nullptr);
  if (config_.qk_norm) {
    if (keep) CopyColumns(exec_, qkv, columns, rows, q_dim + kv_dim, &tape->qk_TB);
    kernels::RmsNormHeads(exec_, QNorm(l), rows, qkv, columns);
    kernels::RmsNormHeads(exec_, KNorm(l), rows, qkv + q_dim, columns);
  }
  // The heads of q and k lie side by side: one rotation for both.
  kernels::Rope(exec_, qkv, columns, rows, config_.num_heads + config_.num_kv_heads,
                plan.positions_T.data(), RopeOf(l),
                /*inverse=*/false);
  WriteCache(l, plan, *tape, cache);
  kernels::Attention(exec_, ShapeOf(l), plan.spans.data(), spans, qkv, columns, cache.k(l),
                     cache.v(l), tape->attention_TQ.data(), q_dim,
                     keep ? tape->stats_TH2.data() : nullptr);
  AddToResidual(tape->attention_TQ.data(), rows, {packed.o, at.o_bias, at.attention_out_norm},
                &tape->attention_out_TD);
}

// x += norm(in w + bias). `branch` receives what goes into the norm.
void ExactBackend::AddToResidual(const float* in, int64_t rows, const BranchEnd& end,
                                 Buffer<float>* branch) {
  const int64_t d = config_.hidden_size;
  if (end.bias == kAbsent && end.norm == kAbsent) {
    return kernels::Matmul(exec_, in, end.w.k, rows, end.w, x_TD_.data(), d, nullptr,
                           /*accumulate=*/true);
  }
  if (end.norm == kAbsent) branch = &branch_TD_;
  branch->Reserve(static_cast<size_t>(rows * d));
  kernels::Matmul(exec_, in, end.w.k, rows, end.w, branch->data(), d,
                  end.bias == kAbsent ? nullptr : Data(end.bias));
  const float* out = branch->data();
  if (end.norm != kAbsent) {
    kernels::RmsNorm(exec_, out, Data(end.norm), eps(), rows, d, normed_TD_.data(), nullptr,
                     norm_offset());
    out = normed_TD_.data();
  }
  kernels::Add(exec_, out, rows * d, x_TD_.data());
}

void ExactBackend::WriteCache(int64_t l, const BatchPlan& plan, const LayerTape& tape,
                              ExactCache& cache) {
  const int64_t q_dim = config_.q_dim(), kv_dim = config_.kv_dim();
  const float* k = tape.qkv_TC.data() + q_dim;
  kernels::WriteKv(exec_, shape_, plan.spans.data(), static_cast<int64_t>(plan.spans.size()), k,
                   k + kv_dim, q_dim + 2 * kv_dim, cache.k(l), cache.v(l));
  for (const PageCopy& copy : plan.copies) {
    kernels::CopyKvPage(shape_, copy.source, copy.target, copy.slots, cache.k(l), cache.v(l));
  }
}

// x += down(act(gate(norm(x))) * up(norm(x)))
void ExactBackend::FeedForward(int64_t l, int64_t rows, LayerTape* tape) {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  const LayerOffsets& at = offsets_.layers[l];
  tape->gate_up_T2F.Reserve(static_cast<size_t>(rows * 2 * f));
  act_TF_.Reserve(static_cast<size_t>(rows * f));
  kernels::RmsNorm(exec_, x_TD_.data(), Data(at.mlp_norm), eps(), rows, d, normed_TD_.data(),
                   nullptr, norm_offset());
  kernels::MatmulGated(exec_, config_.activation, normed_TD_.data(), d, rows, packed.gate,
                       packed.up, tape->gate_up_T2F.data(), act_TF_.data(),
                       config_.mlp_bias ? packed.gate_up_bias.data() : nullptr);
  AddToResidual(act_TF_.data(), rows, {packed.down, at.down_bias, at.mlp_out_norm},
                &tape->mlp_out_TD);
}

}  // namespace hone
