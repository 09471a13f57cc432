// The one forward over a ragged batch. Every kernel keeps rows apart, so what stands here needs no
// care for batch invariance; attention reads earlier positions from the cache alone, also those of
// this batch. Where no span needs what another computes, each thread takes its spans through all
// layers by itself: no thread waits for another, and rows stay in the cache of their core. Else all
// threads share the rows, and meet after every kernel.
#include <algorithm>
#include <utility>

#include "kernels/embedding.h"
#include "kernels/gated_matmul.h"
#include "kernels/matmul.h"
#include "kernels/parallel.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

// Rows of a part that are worth its reading all weights for itself: few where those stay in the
// last-level cache, else as many as hide what it takes to fetch them.
constexpr int64_t kCachedFloats = int64_t{8} << 20, kLeastRowsCached = 16, kLeastRows = 64;

void CopyColumns(const float* x, int64_t ld, int64_t rows, int64_t columns, float* to,
                 int64_t ld_to) {
  for (int64_t row = 0; row < rows; ++row) std::copy_n(x + row * ld, columns, to + row * ld_to);
}

struct Heads {
  int64_t first, count;
};
Heads Common(const Heads& a, const Heads& b) {
  const int64_t first = std::max(a.first, b.first);
  return {first, std::max<int64_t>(0, std::min(a.first + a.count, b.first + b.count) - first)};
}

}  // namespace

void ExactBackend::ReserveRows(size_t rows, std::vector<LayerTape>* tapes) {
  const auto d = static_cast<size_t>(config_.hidden_size), q = static_cast<size_t>(config_.q_dim()),
             kv = static_cast<size_t>(config_.kv_dim()),
             f = static_cast<size_t>(config_.intermediate_size);
  const bool keep = tapes != nullptr;
  if (keep) tapes->resize(static_cast<size_t>(config_.num_layers));
  for (auto* buffer : {&normed_TD_, &branch_TD_}) buffer->Reserve(rows * d);
  own_normed_.Reserve(static_cast<size_t>(pool_.threads() * kernels::kLeastNormRows) * d);
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
  const int64_t rows = batch.rows(), d = config_.hidden_size;
  ReserveRows(static_cast<size_t>(rows), tapes);
  // With tapes, each value of the residual stream goes to where it is kept.
  kernels::Embed(exec_, Data(offsets_.embed), batch.tokens_T.data(), rows, d,
                 tapes == nullptr ? x_TD : tapes->front().x_TD.data(),
                 static_cast<float>(config_.embedding_scale));
  const PlanPart whole = {0, rows, 0, static_cast<int64_t>(plan.spans.size())};
  const bool keep = tapes != nullptr;
  if (!config_.sparse.empty()) return RunPart({exec_, whole, plan, cache, keep}, tapes, x_TD);
  const int64_t least_rows = layout_.size <= kCachedFloats ? kLeastRowsCached : kLeastRows;
  const bool apart = parts_.Cut(plan, pool_.threads(), least_rows);
  pool_.Together([&](int member) {
    const Part part = apart ? Part{{nullptr, exec_.isa}, parts_.parts[member], plan, cache, keep}
                            : Part{{&pool_, exec_.isa, member}, whole, plan, cache, keep};
    RunPart(part, tapes, x_TD);
  });
}

void ExactBackend::RunPart(const Part& part, std::vector<LayerTape>* tapes, float* x_TD) {
  const int64_t first = part.at.first_row * config_.hidden_size;
  const bool keep = part.keep;
  float* const end = x_TD + first;
  float* x = keep ? tapes->front().x_TD.data() + first : end;
  for (int64_t l = 0; l < config_.num_layers; ++l) {
    LayerTape& tape = keep ? (*tapes)[l] : scratch_;
    float* mid = keep ? tape.mid_TD.data() + first : x;
    float* next = keep && l + 1 < config_.num_layers ? (*tapes)[l + 1].x_TD.data() + first : end;
    Attend(l, part, {x, mid}, &tape);
    if (config_.has_experts(l)) {
      Experts(l, part.at.rows, {mid, next}, keep, &tape);
    } else {
      FeedForward(l, part, {mid, next}, &tape);
    }
    x = next;
  }
}

// The norm of the part's rows x. Of few rows, each member makes its own: to wait for another's
// would take longer.
const float* ExactBackend::Normed(const Part& part, const float* x, int64_t norm) {
  const int64_t d = config_.hidden_size, rows = part.at.rows;
  float* normed = normed_TD_.data() + part.at.first_row * d;
  kernels::Exec exec = part.exec;
  if (exec.member >= 0 && rows <= kernels::kLeastNormRows) {
    normed = own_normed_.data() + exec.member * kernels::kLeastNormRows * d;
    exec = {nullptr, exec.isa};
  }
  kernels::RmsNorm(exec, x, Data(norm), eps(), rows, d, normed, nullptr, norm_offset());
  return normed;
}

// x.out = x.in + o_proj(attention(norm(x.in)))
void ExactBackend::Attend(int64_t l, const Part& part, const Residual& x, LayerTape* tape) {
  const int64_t d = config_.hidden_size, q_dim = config_.q_dim();
  const int64_t columns = q_dim + 2 * config_.kv_dim(), first = part.at.first_row;
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  const LayerOffsets& at = offsets_.layers[l];
  kernels::MatmulThen(part.exec, Normed(part, x.in, at.attention_norm), d, part.at.rows, packed.qkv,
                      tape->qkv_TC.data() + first * columns, columns,
                      config_.qkv_bias ? packed.qkv_bias.data() : nullptr, config_.head_dim,
                      [&](const kernels::OutputPart& done) { FinishHeads(l, part, done, tape); });
  CopyPages(l, part.exec, part.plan, part.cache);
  kernels::Attention(part.exec, ShapeOf(l), part.plan.spans.data() + part.at.first_span,
                     part.at.spans, tape->qkv_TC.data(), columns, part.cache.k(l), part.cache.v(l),
                     tape->attention_TQ.data(), q_dim,
                     part.keep ? tape->stats_TH2.data() : nullptr);
  AddToResidual(part, x, tape->attention_TQ.data() + first * q_dim,
                {packed.o, at.o_bias, at.attention_out_norm}, &tape->attention_out_TD);
}

// What the thread that computed some heads of q | k | v of some rows does with them at once: their
// norms, their rotation, and keys and values into their pages.
void ExactBackend::FinishHeads(int64_t l, const Part& part, const kernels::OutputPart& done,
                               LayerTape* tape) {
  const int64_t head_dim = config_.head_dim, q_heads = config_.num_heads,
                kv_heads = config_.num_kv_heads, turned_heads = q_heads + kv_heads;
  const int64_t columns = (turned_heads + kv_heads) * head_dim;
  const int64_t row = part.at.first_row + done.row;
  const Heads heads = {done.column / head_dim, done.columns / head_dim};
  const Heads q = Common(heads, {0, q_heads}), k = Common(heads, {q_heads, kv_heads}),
              v = Common(heads, {turned_heads, kv_heads}),
              turned = Common(heads, {0, turned_heads});
  const kernels::Exec exec = {nullptr, part.exec.isa};
  float* qkv = tape->qkv_TC.data() + row * columns;
  float* const first_turned = qkv + turned.first * head_dim;
  if (config_.qk_norm) {
    if (part.keep) {
      CopyColumns(first_turned, columns, done.rows, turned.count * head_dim,
                  tape->qk_TB.data() + (row * turned_heads + turned.first) * head_dim,
                  turned_heads * head_dim);
    }
    for (auto [some, norm] : {std::pair(q, QNorm(l)), std::pair(k, KNorm(l))}) {
      norm.heads = some.count;
      kernels::RmsNormHeads(exec, norm, done.rows, qkv + some.first * head_dim, columns);
    }
  }
  kernels::Rope(exec, first_turned, columns, done.rows, turned.count,
                part.plan.positions_T.data() + row, RopeOf(l), /*inverse=*/false);
  const kernels::AttentionSpan* spans = part.plan.spans.data() + part.at.first_span;
  const float* keys = tape->qkv_TC.data() + q_heads * head_dim;
  kernels::WriteKeys(exec.isa, shape_, spans, part.at.spans,
                     {row, done.rows, k.first - q_heads, k.count}, keys, columns, part.cache.k(l));
  kernels::WriteValues(shape_, spans, part.at.spans,
                       {row, done.rows, v.first - turned_heads, v.count},
                       keys + kv_heads * head_dim, columns, part.cache.v(l));
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
    return kernels::Add(part.exec, x.in, Normed(part, out, end.norm), rows * d, x.out);
  }
  kernels::Add(part.exec, x.in, out, rows * d, x.out);
}

// Of pages that this batch wrote. None where there are several parts.
void ExactBackend::CopyPages(int64_t l, const kernels::Exec& exec, const BatchPlan& plan,
                             ExactCache& cache) {
  if (plan.copies.empty()) return;
  kernels::ParallelFor(exec, 1, 1, [&](int64_t, int64_t) {
    for (const PageCopy& copy : plan.copies) {
      kernels::CopyKvPage(shape_, copy.source, copy.target, copy.slots, cache.k(l), cache.v(l));
    }
  });
}

// x.out = x.in + down(act(gate(norm(x.in))) * up(norm(x.in)))
void ExactBackend::FeedForward(int64_t l, const Part& part, const Residual& x, LayerTape* tape) {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const int64_t rows = part.at.rows, first = part.at.first_row;
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  const LayerOffsets& at = offsets_.layers[l];
  float* act = act_TF_.data() + first * f;
  kernels::MatmulGated(part.exec, config_.activation, Normed(part, x.in, at.mlp_norm), d, rows,
                       packed.gate, packed.up, tape->gate_up_T2F.data() + first * 2 * f, act,
                       config_.mlp_bias ? packed.gate_up_bias.data() : nullptr);
  AddToResidual(part, x, act, {packed.down, at.down_bias, at.mlp_out_norm}, &tape->mlp_out_TD);
}

}  // namespace hone
