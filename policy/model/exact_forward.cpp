// The one forward over a ragged batch. Every kernel keeps rows apart, so what stands here needs no
// care for batch invariance; attention reads earlier positions from the cache alone, also those of
// this batch. Where no span needs what another computes, each thread takes its spans through all
// layers by itself: no thread waits for another, and rows stay in the cache of their core.
#include <algorithm>

#include "kernels/embedding.h"
#include "kernels/gated_matmul.h"
#include "kernels/parallel.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

// Rows of a part that are worth its reading all weights for itself: few where those stay in the
// last-level cache, else as many as hide what it takes to fetch them.
constexpr int64_t kCachedFloats = int64_t{8} << 20, kLeastRowsCached = 16, kLeastRows = 64;

// The first `width` columns of x [rows, ld].
void CopyColumns(const kernels::Exec& exec, const float* x, int64_t ld, int64_t rows, int64_t width,
                 float* to) {
  kernels::ParallelFor(exec, rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      std::copy_n(x + row * ld, width, to + row * width);
    }
  });
}

}  // namespace

void ExactBackend::ReserveRows(size_t rows, std::vector<LayerTape>* tapes) {
  const auto d = static_cast<size_t>(config_.hidden_size), q = static_cast<size_t>(config_.q_dim()),
             kv = static_cast<size_t>(config_.kv_dim()),
             f = static_cast<size_t>(config_.intermediate_size);
  const bool keep = tapes != nullptr;
  if (keep) tapes->resize(static_cast<size_t>(config_.num_layers));
  for (auto* buffer : {&normed_TD_, &branch_TD_}) buffer->Reserve(rows * d);
  act_TF_.Reserve(rows * f);
  for (LayerTape& tape : keep ? std::span(*tapes) : std::span(&scratch_, 1)) {
    tape.qkv_TC.Reserve(rows * (q + 2 * kv));
    tape.attention_TQ.Reserve(rows * q);
    if (config_.post_norms) {
      for (auto* buffer : {&tape.attention_out_TD, &tape.mlp_out_TD}) buffer->Reserve(rows * d);
    }
    const bool experts = keep && config_.has_experts(&tape - tapes->data());
    if (!experts) tape.gate_up_T2F.Reserve(rows * 2 * f);
    if (!keep) continue;
    for (auto* buffer : {&tape.x_TD, &tape.mid_TD}) buffer->Reserve(rows * d);
    tape.stats_TH2.Reserve(rows * 2 * static_cast<size_t>(config_.num_heads));
    if (config_.qk_norm) tape.qk_TB.Reserve(rows * (q + kv));
  }
}

void ExactBackend::RunLayers(const Batch& batch, const BatchPlan& plan, ExactCache& cache,
                             std::vector<LayerTape>* tapes, float* x_TD) {
  ReserveRows(static_cast<size_t>(batch.rows()), tapes);
  const int64_t least_rows = layout_.size <= kCachedFloats ? kLeastRowsCached : kLeastRows;
  if (!config_.sparse.empty() || !parts_.Cut(plan, pool_.threads(), least_rows)) {
    return RunPart({exec_, {0, batch.rows(), 0, static_cast<int64_t>(plan.spans.size())}}, batch,
                   plan, cache, tapes, x_TD);
  }
  pool_.For(pool_.threads(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      RunPart({{nullptr, exec_.isa}, parts_.parts[p]}, batch, plan, cache, tapes, x_TD);
    }
  });
}

void ExactBackend::RunPart(const Part& part, const Batch& batch, const BatchPlan& plan,
                           ExactCache& cache, std::vector<LayerTape>* tapes, float* x_TD) {
  const int64_t rows = part.at.rows, d = config_.hidden_size, first = part.at.first_row * d;
  const bool keep = tapes != nullptr;
  // With tapes, each value of the residual stream goes to where it is kept.
  float* const end = x_TD + first;
  float* x = keep ? tapes->front().x_TD.data() + first : end;
  kernels::Embed(part.exec, Data(offsets_.embed), batch.tokens_T.data() + part.at.first_row, rows,
                 d, x, static_cast<float>(config_.embedding_scale));
  for (int64_t l = 0; l < config_.num_layers; ++l) {
    LayerTape& tape = keep ? (*tapes)[l] : scratch_;
    float* mid = keep ? tape.mid_TD.data() + first : x;
    float* next = keep && l + 1 < config_.num_layers ? (*tapes)[l + 1].x_TD.data() + first : end;
    Attend(l, part, {x, mid}, plan, cache, keep, &tape);
    if (config_.has_experts(l)) {
      Experts(l, rows, {mid, next}, keep, &tape);
    } else {
      FeedForward(l, part, {mid, next}, &tape);
    }
    x = next;
  }
}

// x.out = x.in + o_proj(attention(norm(x.in)))
void ExactBackend::Attend(int64_t l, const Part& part, const Residual& x, const BatchPlan& plan,
                          ExactCache& cache, bool keep, LayerTape* tape) {
  const int64_t d = config_.hidden_size, q_dim = config_.q_dim(), kv_dim = config_.kv_dim();
  const int64_t columns = q_dim + 2 * kv_dim, rows = part.at.rows, first = part.at.first_row;
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  const LayerOffsets& at = offsets_.layers[l];
  float* normed = normed_TD_.data() + first * d;
  float* qkv = tape->qkv_TC.data() + first * columns;

  kernels::RmsNorm(part.exec, x.in, Data(at.attention_norm), eps(), rows, d, normed, nullptr,
                   norm_offset());
  kernels::Matmul(part.exec, normed, d, rows, packed.qkv, qkv, columns,
                  config_.qkv_bias ? packed.qkv_bias.data() : nullptr);
  if (config_.qk_norm) {
    const int64_t before = q_dim + kv_dim;
    if (keep)
      CopyColumns(part.exec, qkv, columns, rows, before, tape->qk_TB.data() + first * before);
    kernels::RmsNormHeads(part.exec, QNorm(l), rows, qkv, columns);
    kernels::RmsNormHeads(part.exec, KNorm(l), rows, qkv + q_dim, columns);
  }
  // The heads of q and k lie side by side: one rotation for both.
  kernels::Rope(part.exec, qkv, columns, rows, config_.num_heads + config_.num_kv_heads,
                plan.positions_T.data() + first, RopeOf(l),
                /*inverse=*/false);
  const auto spans =
      std::span(plan.spans)
          .subspan(static_cast<size_t>(part.at.first_span), static_cast<size_t>(part.at.spans));
  WriteCache(l, part.exec, spans, *tape, cache);
  CopyPages(l, plan, cache);  // none where there are several parts
  kernels::Attention(part.exec, ShapeOf(l), spans.data(), part.at.spans, tape->qkv_TC.data(),
                     columns, cache.k(l), cache.v(l), tape->attention_TQ.data(), q_dim,
                     keep ? tape->stats_TH2.data() : nullptr);
  AddToResidual(part, x, tape->attention_TQ.data() + first * q_dim,
                {packed.o, at.o_bias, at.attention_out_norm}, &tape->attention_out_TD);
}

// x.out = x.in + norm(in w + bias). `branch` receives what goes into the norm.
void ExactBackend::AddToResidual(const Part& part, const Residual& x, const float* in,
                                 const BranchEnd& end, Buffer<float>* branch) {
  const int64_t d = config_.hidden_size, rows = part.at.rows, first = part.at.first_row * d;
  if (end.bias == kAbsent && end.norm == kAbsent) {
    return kernels::Matmul(part.exec, in, end.w.k, rows, end.w, x.out, d, nullptr, x.in);
  }
  float* out = (end.norm == kAbsent ? branch_TD_ : *branch).data() + first;
  kernels::Matmul(part.exec, in, end.w.k, rows, end.w, out, d,
                  end.bias == kAbsent ? nullptr : Data(end.bias));
  if (end.norm != kAbsent) {
    float* normed = normed_TD_.data() + first;
    kernels::RmsNorm(part.exec, out, Data(end.norm), eps(), rows, d, normed, nullptr,
                     norm_offset());
    out = normed;
  }
  kernels::Add(part.exec, x.in, out, rows * d, x.out);
}

void ExactBackend::WriteCache(int64_t l, const kernels::Exec& exec,
                              std::span<const kernels::AttentionSpan> spans, const LayerTape& tape,
                              ExactCache& cache) {
  const int64_t q_dim = config_.q_dim(), kv_dim = config_.kv_dim();
  const float* k = tape.qkv_TC.data() + q_dim;
  kernels::WriteKv(exec, shape_, spans.data(), static_cast<int64_t>(spans.size()), k, k + kv_dim,
                   q_dim + 2 * kv_dim, cache.k(l), cache.v(l));
}

void ExactBackend::CopyPages(int64_t l, const BatchPlan& plan, ExactCache& cache) {
  for (const PageCopy& copy : plan.copies) {
    kernels::CopyKvPage(shape_, copy.source, copy.target, copy.slots, cache.k(l), cache.v(l));
  }
}

// x.out = x.in + down(act(gate(norm(x.in))) * up(norm(x.in)))
void ExactBackend::FeedForward(int64_t l, const Part& part, const Residual& x, LayerTape* tape) {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const int64_t rows = part.at.rows, first = part.at.first_row;
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  const LayerOffsets& at = offsets_.layers[l];
  float* normed = normed_TD_.data() + first * d;
  float* act = act_TF_.data() + first * f;
  kernels::RmsNorm(part.exec, x.in, Data(at.mlp_norm), eps(), rows, d, normed, nullptr,
                   norm_offset());
  kernels::MatmulGated(part.exec, config_.activation, normed, d, rows, packed.gate, packed.up,
                       tape->gate_up_T2F.data() + first * 2 * f, act,
                       config_.mlp_bias ? packed.gate_up_bias.data() : nullptr);
  AddToResidual(part, x, act, {packed.down, at.down_bias, at.mlp_out_norm}, &tape->mlp_out_TD);
}

}  // namespace hone
