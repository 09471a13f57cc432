// What the backward of a layer does row by row. Whoever calls owns the rows, and reads and writes
// no others'.
#include <algorithm>

#include "kernels/gated.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

// Rows that pass a layer's products together: what lies between two products stays in the
// second-level cache.
constexpr int64_t kChunkRows = 144;

// body(row, rows) over a part: in chunks where one thread has it.
template <class Part, class Body>
void ForChunks(const Part& part, const Body& body) {
  const int64_t most = part.exec.pool == nullptr ? kChunkRows : part.rows;
  for (int64_t row = 0; row < part.rows; row += most) {
    body(part.first + row, std::min(most, part.rows - row));
  }
}

}  // namespace

// Whole vectors, and no multiple of 1 KiB: else rows that a tile reads side by side would fall into
// the same lines of the first-level cache.
int64_t ExactBackend::GradStride() const {
  const int64_t stride = (kept_.batch.rows() + 15) / 16 * 16;
  return stride % 256 == 0 ? stride + 16 : stride;
}

void ExactBackend::ReserveBackward() {
  const int64_t t = kept_.batch.rows(), d = config_.hidden_size, f = config_.intermediate_size,
                q_dim = config_.q_dim(), kv_dim = config_.kv_dim(), columns = q_dim + 2 * kv_dim,
                heads = config_.num_heads + config_.num_kv_heads;
  const auto reserve = [](int64_t size, std::initializer_list<Buffer<float>*> buffers) {
    for (Buffer<float>* buffer : buffers) buffer->Reserve(static_cast<size_t>(size));
  };
  BackwardScratch& s = back_;
  struct Sizes {
    ProjectionScratch* of;
    int64_t n, k;
  };
  for (const auto& [of, n, k] :
       {Sizes{&s.qkv, columns, d}, {&s.o, d, q_dim}, {&s.gate_up, 2 * f, d}, {&s.down, d, f}}) {
    reserve(n * GradStride(), {&of->dy_NT});
    if (k % kernels::kPanel == 0) {
      reserve(kernels::PackedSize(k, t), {&of->x_panels});
    } else {
      of->x_panels.Resize(static_cast<size_t>(kernels::PackedSize(k, t)));  // zeros past column k
    }
    reserve(kernels::PackedSize(k, n), {&of->w_panels});
  }
  for (NormScratch* norm :
       {&s.attention_norm, &s.mlp_norm, &s.attention_out_norm, &s.mlp_out_norm}) {
    const bool out = norm == &s.attention_out_norm || norm == &s.mlp_out_norm;
    if (out && !config_.post_norms) continue;
    reserve(t * d, {&norm->dy_TD});
    reserve(t, {&norm->inv_rms_T});
  }
  reserve(t * q_dim, {&s.d_attention_TQ});
  reserve(t * columns, {&s.d_qkv_TC});
  reserve(kept_.plan.used_blocks * kv_dim * kernels::kPagePositions,
          {&s.grad_k[0], &s.grad_k[1], &s.grad_v[0], &s.grad_v[1]});
  if (config_.qk_norm) {
    reserve(t * (q_dim + kv_dim), {&s.d_qk_TB});
    reserve(t * heads, {&s.inv_rms_TH});
  }
  const int64_t rows = s.rows.size() == 1 ? t : std::min(t, kChunkRows);
  for (RowScratch& of_part : s.rows) {
    of_part.gate_up_R.resize(static_cast<size_t>(rows));
    reserve(rows * f, {&of_part.d_act_RF});
    reserve(rows * 2 * f, {&of_part.d_gate_up_R2F});
    reserve(rows * d, {&of_part.normed_RD, &of_part.d_branch_RD});
  }
}

// The gradient by what a branch's projection gave: that by the residual stream, or what its norm
// makes of it.
const float* ExactBackend::BranchEndRows(const RowsPart& part, int64_t row, int64_t rows,
                                         const Buffer<float>& branch_TD, int64_t norm,
                                         NormScratch* scratch) {
  const int64_t d = config_.hidden_size, at = row * d;
  const float* d_x = back_.d_x_TD.data() + at;
  if (norm == kAbsent) return d_x;
  const float* branch = branch_TD.data() + at;
  float *dy = scratch->dy_TD.data() + at, *inv_rms = scratch->inv_rms_T.data() + row;
  float* d_branch = part.scratch.d_branch_RD.data();
  std::copy_n(d_x, rows * d, dy);
  std::fill_n(d_branch, rows * d, 0.0f);
  kernels::RmsNorm(part.exec, branch, Data(norm), eps(), rows, d, part.scratch.normed_RD.data(),
                   inv_rms, norm_offset());
  kernels::RmsNormBackwardX(part.exec, dy, branch, Data(norm), inv_rms, rows, d, d_branch,
                            norm_offset());
  return d_branch;
}

// The gradient dy [rows, n] of a projection, transposed, for the weights'.
void ExactBackend::KeepGradient(const RowsPart& part, int64_t row, int64_t rows, const float* dy,
                                int64_t n, ProjectionScratch* to) {
  kernels::TransposeRows(part.exec, dy, n, rows, n, to->dy_NT.data() + row, GradStride());
}

// Where what a projection read is packed for the same, from a row on.
kernels::RowsAt ExactBackend::InputRows(int64_t row, ProjectionScratch* to) const {
  constexpr int64_t kPanel = kernels::kPanel;
  return {to->x_panels.data() + row * kPanel, kPanel, kept_.batch.rows() * kPanel};
}

// Packs x [rows, k] there.
void ExactBackend::KeepInput(const RowsPart& part, int64_t row, int64_t rows, const float* x,
                             int64_t k, ProjectionScratch* to) {
  kernels::PackRows(part.exec, x, k, rows, k, kept_.batch.rows(), row, to->x_panels.data());
}

// dx = dy w, of w [n, k] in pieces.
void ExactBackend::InputGradient(const RowsPart& part, int64_t rows, const float* dy, int64_t n,
                                 int64_t k, const ProjectionScratch& of, float* dx) {
  const kernels::PackedMatrix w = {.k = n, .n = k, .panels = of.w_panels.data()};
  kernels::Matmul(part.exec, dy, n, rows, w, dx, k);
}

// What a norm gave of x, for a projection's gradient; then, back through both, d_x += .
void ExactBackend::NormedProjectionRows(const RowsPart& part, int64_t row, int64_t rows,
                                        const Buffer<float>& x_TD, int64_t norm, const float* dy,
                                        int64_t n, ProjectionScratch* projection,
                                        NormScratch* scratch) {
  const int64_t d = config_.hidden_size, at = row * d;
  const float* x = x_TD.data() + at;
  float *inv_rms = scratch->inv_rms_T.data() + row, *d_normed = scratch->dy_TD.data() + at;
  KeepGradient(part, row, rows, dy, n, projection);
  kernels::RmsNorm(part.exec, x, Data(norm), eps(), rows, d, InputRows(row, projection), inv_rms,
                   norm_offset());
  InputGradient(part, rows, dy, n, d, *projection, d_normed);
  kernels::RmsNormBackwardX(part.exec, d_normed, x, Data(norm), inv_rms, rows, d,
                            back_.d_x_TD.data() + at, norm_offset());
}

// Of  out = mid + down(act(gate_up(norm(mid)))): d_x_TD goes from the gradient by out to that by
// mid.
void ExactBackend::FeedForwardRows(int64_t l, const RowsPart& part) {
  const int64_t d = config_.hidden_size, f = config_.intermediate_size;
  const LayerOffsets& at = offsets_.layers[l];
  const LayerTape& tape = TapeOf(l);
  RowScratch& s = part.scratch;
  float *d_act = s.d_act_RF.data(), *d_gate_up = s.d_gate_up_R2F.data();
  ForChunks(part, [&](int64_t row, int64_t rows) {
    const float* d_out =
        BranchEndRows(part, row, rows, tape.mlp_out_TD, at.mlp_out_norm, &back_.mlp_out_norm);
    KeepGradient(part, row, rows, d_out, d, &back_.down);
    InputGradient(part, rows, d_out, d, f, back_.down, d_act);
    for (int64_t i = 0; i < rows; ++i) s.gate_up_R[i] = GateUpOf(l, row + i);
    kernels::GatedBackward(part.exec, config_.activation, d_act, s.gate_up_R.data(), rows, f,
                           d_gate_up, InputRows(row, &back_.down));
    NormedProjectionRows(part, row, rows, tape.mid_TD, at.mlp_norm, d_gate_up, 2 * f,
                         &back_.gate_up, &back_.mlp_norm);
  });
}

// Of  mid = x + o(attention): leaves the gradient by attention. d_x_TD stays: the residual's part
// of the gradient by x.
void ExactBackend::AttentionOutRows(int64_t l, const RowsPart& part) {
  const int64_t d = config_.hidden_size, q_dim = config_.q_dim();
  const LayerTape& tape = TapeOf(l);
  ForChunks(part, [&](int64_t row, int64_t rows) {
    const float* d_out =
        BranchEndRows(part, row, rows, tape.attention_out_TD, offsets_.layers[l].attention_out_norm,
                      &back_.attention_out_norm);
    KeepGradient(part, row, rows, d_out, d, &back_.o);
    KeepInput(part, row, rows, tape.attention_TQ.data() + row * q_dim, q_dim, &back_.o);
    InputGradient(part, rows, d_out, d, q_dim, back_.o, back_.d_attention_TQ.data() + row * q_dim);
  });
}

// Of  q | k | v = projections(norm(x)): adds to d_x_TD, which then is the gradient by x.
void ExactBackend::ProjectionRows(int64_t l, const RowsPart& part) {
  const int64_t q_dim = config_.q_dim(), kv_dim = config_.kv_dim(), columns = q_dim + 2 * kv_dim;
  const LayerTape& tape = TapeOf(l);
  float* d_qkv = back_.d_qkv_TC.data();
  kernels::ReadKvGrad(part.exec, shape_, part.scratch.spans.data(),
                      static_cast<int64_t>(part.scratch.spans.size()), back_.grad_k[l % 2].data(),
                      back_.grad_v[l % 2].data(), d_qkv + q_dim, d_qkv + q_dim + kv_dim, columns);
  ForChunks(part, [&](int64_t row, int64_t rows) {
    float* d_rows = d_qkv + row * columns;
    kernels::Rope(part.exec, d_rows, columns, rows, config_.num_heads + config_.num_kv_heads,
                  kept_.plan.positions_T.data() + row, RopeOf(l), /*inverse=*/true);
    if (config_.qk_norm) HeadNormRows(l, part, row, rows, d_rows);
    NormedProjectionRows(part, row, rows, tape.x_TD, offsets_.layers[l].attention_norm, d_rows,
                         columns, &back_.qkv, &back_.attention_norm);
  });
}

// Back through the norms of q's and k's heads, in place.
void ExactBackend::HeadNormRows(int64_t l, const RowsPart& part, int64_t row, int64_t rows,
                                float* d_qkv) {
  const int64_t q_dim = config_.q_dim(), before = q_dim + config_.kv_dim();
  const int64_t columns = before + config_.kv_dim(), t = kept_.batch.rows();
  float* kept = back_.d_qk_TB.data() + row * before;
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(d_qkv + i * columns, before, kept + i * before);
  }
  const float* x = TapeOf(l).qk_TB.data() + row * before;
  float* inv_rms_q = back_.inv_rms_TH.data();
  float* inv_rms_k = inv_rms_q + t * config_.num_heads;
  kernels::RmsNormHeadsBackwardX(part.exec, QNorm(l), rows, x, before, d_qkv, columns,
                                 inv_rms_q + row * config_.num_heads);
  kernels::RmsNormHeadsBackwardX(part.exec, KNorm(l), rows, x + q_dim, before, d_qkv + q_dim,
                                 columns, inv_rms_k + row * config_.num_kv_heads);
}

}  // namespace hone
