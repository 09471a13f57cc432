// A layer's feed-forward where it is a choice of experts: rows go to their experts' products one
// expert after the other, and what comes back is added row by row in order of the experts, so a
// row's bits do not depend on which others share its experts. The backward runs the same way.
#include <algorithm>

#include "kernels/embedding.h"
#include "kernels/experts.h"
#include "kernels/gated.h"
#include "kernels/gated_matmul.h"
#include "policy/model/exact_backend.h"

namespace hone {

kernels::Choice ExactBackend::ChoiceOf(int64_t rows) const {
  return {rows, config_.num_experts, config_.experts_per_token, config_.norm_topk_prob};
}

// Chooses experts for the rows of normed [rows, D] and lists whose rows are whose.
void ExactBackend::ChooseExperts(int64_t l, int64_t rows, const float* normed) {
  const int64_t e = config_.num_experts, places = rows * config_.experts_per_token;
  ExpertScratch& s = experts_;
  s.logits_TE.Reserve(static_cast<size_t>(rows * e));
  s.weights_TK.Reserve(static_cast<size_t>(places));
  s.experts_TK.resize(static_cast<size_t>(places));
  s.places_TK.resize(static_cast<size_t>(places));
  // For an expert that every row chose, so that no later choice asks for more memory.
  for (auto* buffer : {&s.in_ND, &s.out_ND})
    buffer->Reserve(static_cast<size_t>(rows * config_.hidden_size));
  s.gate_up_N2G.Reserve(static_cast<size_t>(rows * 2 * config_.expert_size));
  s.act_NG.Reserve(static_cast<size_t>(rows * config_.expert_size));
  kernels::Matmul(exec_, normed, config_.hidden_size, rows, packed_.Get(exec_).layers[l].router,
                  s.logits_TE.data(), e);
  kernels::Route(exec_, ChoiceOf(rows), s.logits_TE.data(), s.experts_TK.data(),
                 s.weights_TK.data());
  s.begin_E.assign(static_cast<size_t>(e + 1), 0);
  for (const int32_t expert : s.experts_TK) ++s.begin_E[expert + 1];
  for (int64_t i = 0; i < e; ++i) s.begin_E[i + 1] += s.begin_E[i];
  s.next_E = s.begin_E;
  for (int32_t place = 0; place < places; ++place)
    s.places_TK[s.next_E[s.experts_TK[place]]++] = place;
}

// The places of the rows that chose an expert, in order of the rows.
std::span<const int32_t> ExactBackend::PlacesOf(int64_t e) const {
  const int32_t* begin_E = experts_.begin_E.data() + e;
  return {experts_.places_TK.data() + begin_E[0], static_cast<size_t>(begin_E[1] - begin_E[0])};
}

// x.out = x.in + sum of the chosen experts' weight * down(act(gate(norm(x.in))) * up(norm(x.in)))
void ExactBackend::Experts(int64_t l, int64_t rows, const Residual& x, bool keep, LayerTape* tape) {
  const int64_t d = config_.hidden_size, g = config_.expert_size, k = config_.experts_per_token;
  const PackedLayer& packed = packed_.Get(exec_).layers[l];
  ExpertScratch& s = experts_;
  kernels::RmsNorm(exec_, x.in, Data(offsets_.layers[l].mlp_norm), eps(), rows, d,
                   normed_TD_.data(), nullptr, norm_offset());
  ChooseExperts(l, rows, normed_TD_.data());
  if (keep) tape->gate_up_T2F.Reserve(static_cast<size_t>(rows * k * 2 * g));
  branch_TD_.Resize(static_cast<size_t>(rows * d));
  for (int64_t e = 0; e < config_.num_experts; ++e) {
    const int32_t* places = PlacesOf(e).data();
    const auto n = static_cast<int64_t>(PlacesOf(e).size());
    if (n == 0) continue;
    kernels::GatherRows(exec_, normed_TD_.data(), places, n, k, d, s.in_ND.data());
    kernels::MatmulGated(exec_, config_.activation, s.in_ND.data(), d, n, packed.experts[e].gate,
                         packed.experts[e].up, s.gate_up_N2G.data(), s.act_NG.data());
    if (keep) {
      kernels::ScatterRows(exec_, s.gate_up_N2G.data(), places, n, 2 * g, tape->gate_up_T2F.data());
    }
    kernels::Matmul(exec_, s.act_NG.data(), g, n, packed.experts[e].down, s.out_ND.data(), d);
    kernels::AddRows(exec_, s.out_ND.data(), places, n, k, s.weights_TK.data(), d,
                     branch_TD_.data());
  }
  kernels::Add(exec_, x.in, branch_TD_.data(), rows * d, x.out);
}

void ExactBackend::BackwardExperts(int64_t l, float* grads) {
  const int64_t t = kept_.batch.rows(), d = config_.hidden_size, k = config_.experts_per_token,
                e = config_.num_experts;
  const LayerOffsets& at = offsets_.layers[l];
  ExpertScratch& s = experts_;
  const LayerTape& tape = TapeOf(l);
  for (auto* buffer : {&s.normed_TD, &s.d_normed_TD}) buffer->Resize(static_cast<size_t>(t * d));
  s.inv_rms_T.Reserve(static_cast<size_t>(t));
  s.d_weights_TK.Reserve(static_cast<size_t>(t * k));
  s.d_logits_TE.Reserve(static_cast<size_t>(t * e));
  s.d_gate_up_N2G.Reserve(static_cast<size_t>(t * 2 * config_.expert_size));
  s.d_act_NG.Reserve(static_cast<size_t>(t * config_.expert_size));
  float *d_x = back_.d_x_TD.data(), *normed = s.normed_TD.data(), *d_normed = s.d_normed_TD.data();
  kernels::RmsNorm(exec_, tape.mid_TD.data(), Data(at.mlp_norm), eps(), t, d, normed,
                   s.inv_rms_T.data(), norm_offset());
  ChooseExperts(l, t, normed);
  for (int64_t i = 0; i < e; ++i) BackwardExpert(l, i, grads);
  kernels::RouteBackward(exec_, ChoiceOf(t), s.logits_TE.data(), s.experts_TK.data(),
                         s.d_weights_TK.data(), s.d_logits_TE.data());
  kernels::MatmulGradWeight(exec_, s.d_logits_TE.data(), e, normed, d, t, e, d, grads + at.router);
  kernels::MatmulGradInput(exec_, s.d_logits_TE.data(), e, Data(at.router), t, e, d, d_normed, d,
                           /*accumulate=*/true);
  kernels::RmsNormBackward(exec_, d_normed, tape.mid_TD.data(), Data(at.mlp_norm),
                           s.inv_rms_T.data(), t, d, d_x, grads + at.mlp_norm, norm_offset());
}

// Of one expert: adds to its gradients and to d_normed_TD, and writes its rows of d_weights_TK.
void ExactBackend::BackwardExpert(int64_t l, int64_t e, float* grads) {
  const int64_t d = config_.hidden_size, g = config_.expert_size, k = config_.experts_per_token;
  const ExpertOffsets& at = offsets_.layers[l].experts[e];
  ExpertScratch& s = experts_;
  const int32_t* places = PlacesOf(e).data();
  const auto n = static_cast<int64_t>(PlacesOf(e).size());
  if (n == 0) return;
  float *d_out = s.out_ND.data(), *d_act = s.d_act_NG.data(), *d_gate_up = s.d_gate_up_N2G.data();

  kernels::GatherRows(exec_, s.normed_TD.data(), places, n, k, d, s.in_ND.data());
  kernels::GatherRows(exec_, back_.d_x_TD.data(), places, n, k, d, d_out);
  s.gate_up_N.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    s.gate_up_N[i] = GateUpOf(l, places[i] / k) + places[i] % k * 2 * g;
  }
  // The gradient by the activation, first as if the weights were 1: with the activation itself it
  // gives the gradient by the weight.
  kernels::MatmulGradInput(exec_, d_out, d, Data(at.down), n, d, g, d_act, g);
  kernels::GatedBackward(exec_, config_.activation, d_act, s.gate_up_N.data(), n, g, d_gate_up,
                         s.act_NG.data());
  kernels::DotRows(exec_, s.act_NG.data(), d_act, places, n, g, s.d_weights_TK.data());
  kernels::ScaleRows(exec_, places, n, s.weights_TK.data(), 2 * g, d_gate_up);
  kernels::ScaleRows(exec_, places, n, s.weights_TK.data(), d, d_out);
  kernels::MatmulGradWeight(exec_, d_out, d, s.act_NG.data(), g, n, d, g, grads + at.down);
  kernels::MatmulGradWeight(exec_, d_gate_up, 2 * g, s.in_ND.data(), d, n, g, d, grads + at.gate);
  kernels::MatmulGradWeight(exec_, d_gate_up + g, 2 * g, s.in_ND.data(), d, n, g, d, grads + at.up);
  kernels::MatmulGradInput(exec_, d_gate_up, 2 * g, Data(at.gate), n, g, d, d_out, d);
  kernels::MatmulGradInput(exec_, d_gate_up + g, 2 * g, Data(at.up), n, g, d, d_out, d,
                           /*accumulate=*/true);
  kernels::AddRows(exec_, d_out, places, n, k, nullptr, d, s.d_normed_TD.data());
}

}  // namespace hone
