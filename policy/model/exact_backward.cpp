// The backward of a kept forward. Each element of a gradient is one chain in order of the rows that
// goes on from what `grads` holds, so cutting a step's groups into other batches changes no bit.
//
// Threads meet as seldom as they can. Between two meetings a thread takes its rows from one layer's
// attention back to that of the layer below, or adds its share to the gradients of the weights in
// between; attention itself is all threads' work.
#include <algorithm>

#include "common/error.h"
#include "kernels/embedding.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

// Rows of a part that are worth its reading all weights for itself.
constexpr int64_t kLeastRows = 64;

}  // namespace

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
  BackwardLayers(grads.data());
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

// Parts of the rows, one for each thread where they are many enough, and memory for a layer.
void ExactBackend::PrepareBackward() {
  const int64_t rows = kept_.batch.rows(), threads = pool_.threads();
  const int64_t parts = rows >= threads * kLeastRows ? threads : 1;
  back_.rows.resize(static_cast<size_t>(parts));
  for (int64_t p = 0; p < parts; ++p) {
    // Whole lines of transposed gradients, so that no two parts write to one.
    const int64_t begin = rows * p / parts / 16 * 16,
                  end = p + 1 == parts ? rows : rows * (p + 1) / parts / 16 * 16;
    RowScratch& of_part = back_.rows[p];
    of_part.first = begin;
    of_part.count = end - begin;
    auto& spans = of_part.spans;
    spans.clear();
    for (const kernels::AttentionSpan& span : kept_.plan.spans) {
      const int64_t first = std::max<int64_t>(begin, span.first_row),
                    last = std::min<int64_t>(end, span.first_row + span.rows);
      if (first >= last) continue;
      spans.push_back({.first_row = static_cast<int32_t>(first),
                       .rows = static_cast<int32_t>(last - first),
                       .position = span.position + static_cast<int32_t>(first - span.first_row),
                       .pages = span.pages});
    }
  }
  ReserveBackward();
  ReserveKnown();
}

template <class Body>
void ExactBackend::ForRows(const Body& body) {
  const auto run = [&](const kernels::Exec& exec, RowScratch& part) {
    body(RowsPart{exec, part.first, part.count, part});
  };
  const auto parts = static_cast<int64_t>(back_.rows.size());
  if (parts == 1) return run(exec_, back_.rows[0]);
  pool_.For(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) run({nullptr, exec_.isa}, back_.rows[p]);
  });
}

template <class Body>
void ExactBackend::ForShares(const Body& body) {
  const auto parts = static_cast<int64_t>(back_.rows.size());
  if (parts == 1) return body(WeightShare{exec_, 0, 1});
  pool_.For(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) body(WeightShare{{nullptr, exec_.isa}, p, parts});
  });
}

void ExactBackend::BackwardLayers(float* grads) {
  PrepareBackward();
  const int64_t top = config_.num_layers - 1;
  ForShares([&](const WeightShare& share) { PackBranches(top, share); });
  for (int64_t l = top; l >= 0; --l) {
    const bool dense = !config_.has_experts(l);
    ForRows([&](const RowsPart& part) {
      if (l < top) ProjectionRows(l + 1, part);
      ClearPageGradients(l, part);
      TakeLayer(l, part);
      if (dense) FeedForwardRows(l, part);
      if (dense) AttentionOutRows(l, part);
    });
    if (!dense) {
      BackwardExperts(l, grads);
      ForRows([&](const RowsPart& part) { AttentionOutRows(l, part); });
    }
    BackwardAttention(l);
    ForShares([&](const WeightShare& share) {
      if (l < top) ProjectionWeights(l + 1, share, grads);
      if (dense) FeedForwardWeights(l, share, grads);
      AttentionOutWeights(l, share, grads);
      PackQkv(l, share);
      if (l > 0) PackBranches(l - 1, share);
    });
  }
  ForRows([&](const RowsPart& part) { ProjectionRows(0, part); });
  ForShares([&](const WeightShare& share) { ProjectionWeights(0, share, grads); });
}

// A part's share of them; the layer above's may still be read.
void ExactBackend::ClearPageGradients(int64_t l, const RowsPart& part) {
  const int64_t rows = kept_.batch.rows();
  for (Buffer<float>* grad : {&back_.grad_k[l % 2], &back_.grad_v[l % 2]}) {
    const auto size = static_cast<int64_t>(grad->size());
    std::fill(grad->begin() + size * part.first / rows,
              grad->begin() + size * (part.first + part.rows) / rows, 0.0f);
  }
}

const LayerTape& ExactBackend::TapeOf(int64_t l) const {
  return kept_.known.empty() ? kept_.layers[l] : back_.known[l % 2];
}

// From the gradient by attention's outputs to that by q, in d_qkv_TC, and by the pages' keys and
// values.
void ExactBackend::BackwardAttention(int64_t l) {
  const int64_t q_dim = config_.q_dim(), columns = q_dim + 2 * config_.kv_dim();
  const LayerTape& tape = TapeOf(l);
  const BatchPlan& plan = kept_.plan;
  float *grad_k = back_.grad_k[l % 2].data(), *grad_v = back_.grad_v[l % 2].data();
  if (!kept_.known.empty()) CopyPages(l, exec_, plan, *kept_.cache);
  kernels::AttentionBackward(exec_, ShapeOf(l), plan.spans.data(),
                             static_cast<int64_t>(plan.spans.size()), tape.qkv_TC.data(), columns,
                             kept_.cache->k(l), kept_.cache->v(l), tape.attention_TQ.data(), q_dim,
                             tape.stats_TH2.data(), back_.d_attention_TQ.data(), q_dim,
                             back_.d_qkv_TC.data(), columns, grad_k, grad_v);
  for (auto copy = plan.copies.rbegin(); copy != plan.copies.rend(); ++copy) {
    kernels::CopyKvPageBackward(shape_, copy->source, copy->target, copy->slots, grad_k, grad_v);
  }
}

}  // namespace hone
