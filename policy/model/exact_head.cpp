// Final norm, projection to the vocabulary, log-softmax, and their backward: on the rows asked for
// only, and for training in chunks of rows: [tokens, vocabulary] exists only where it is small.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "common/error.h"
#include "kernels/parallel.h"
#include "kernels/softcap.h"
#include "kernels/softmax.h"
#include "policy/logprob.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

constexpr size_t kHeadRows = 256;  // of a chunk; changes no bit
// Logits of a batch's targets that are kept for its backward (32 MiB); more are computed again.
constexpr size_t kKeptLogits = size_t{8} << 20;
// A recording forward keeps its logits where they take at most one part in so many of the layers'
// activations.
constexpr int64_t kLogitsShare = 8;

void CheckRow(int32_t row, const Batch& batch) {
  if (row < 0 || row >= batch.rows()) {
    throw RunError(fmt::format("row {} was asked for, the batch has {}", row, batch.rows()));
  }
}

}  // namespace

void HeadBuffers::Reserve(size_t rows, const ModelConfig& config) {
  const auto d = static_cast<size_t>(config.hidden_size);
  x_RD.Reserve(rows * d);
  normed_RD.Reserve(rows * d);
  inv_rms_R.Reserve(rows);
  logits_RV.Reserve(rows * static_cast<size_t>(config.vocab_size));
}

HeadRows HeadBuffers::From(size_t row, const ModelConfig& config) {
  const auto d = static_cast<size_t>(config.hidden_size);
  return {x_RD.data() + row * d, inv_rms_R.data() + row, normed_RD.data() + row * d,
          logits_RV.data() + row * static_cast<size_t>(config.vocab_size)};
}

void ExactBackend::HeadLogits(const float* x_TD, std::span<const ActivationRow> known,
                              const HeadRows& out) {
  const int64_t rows = static_cast<int64_t>(head_.rows_R.size()), d = config_.hidden_size;
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(x_TD + head_.rows_R[r] * d, d, out.x_RD + r * d);
  }
  kernels::RmsNorm(exec_, out.x_RD, Data(offsets_.norm), eps(), rows, d, out.normed_RD,
                   out.inv_rms_R, norm_offset());
  if (!known.empty() && TakeLogits(known, out.logits_RV)) return;
  kernels::Matmul(exec_, out.normed_RD, d, rows, packed_.Get(exec_).head, out.logits_RV,
                  config_.vocab_size);
  if (config_.logit_softcap > 0) {
    kernels::SoftCap(exec_, out.logits_RV, rows * config_.vocab_size,
                     static_cast<float>(config_.logit_softcap));
  }
}

void ExactBackend::Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
                           std::span<float> logits_RV, std::shared_ptr<const Activations>* record) {
  LayOutWeights();
  ExactCache& exact = CacheOf(cache);
  CheckSize("logits", output_rows.size() * static_cast<size_t>(config_.vocab_size),
            logits_RV.size());
  for (const int32_t row : output_rows) CheckRow(row, batch);
  kept_.valid = false;
  plan_.Prepare(batch, config_, exact);
  if (batch.rows() == 0) return;
  const auto d = static_cast<size_t>(config_.hidden_size);
  std::shared_ptr<ExactActivations> activations;
  if (record != nullptr) *record = activations = activations_.Take(batch.rows());
  Buffer<float>& x_TD = activations == nullptr ? x_TD_ : activations->x_TD;
  x_TD.Reserve(static_cast<size_t>(batch.rows()) * d);
  RunLayers(batch, plan_, exact, activations == nullptr ? nullptr : &activations->layers,
            x_TD.data());
  if (output_rows.empty()) return;
  head_.rows_R.assign(output_rows.begin(), output_rows.end());
  head_.rows.x_RD.Reserve(output_rows.size() * d);
  head_.rows.normed_RD.Reserve(output_rows.size() * d);
  head_.rows.inv_rms_R.Reserve(output_rows.size());
  HeadRows rows = head_.rows.From(0, config_);
  rows.logits_RV = logits_RV.data();
  HeadLogits(x_TD.data(), {}, rows);
  if (activations != nullptr) KeepLogits(output_rows, logits_RV, activations.get());
}

void ExactBackend::KeepLogits(std::span<const int32_t> output_rows,
                              std::span<const float> logits_RV, ExactActivations* to) const {
  const auto v = static_cast<int64_t>(config_.vocab_size);
  const auto t = static_cast<int64_t>(to->x_TD.size()) / config_.hidden_size;
  if (v * t * kLogitsShare > static_cast<int64_t>(to->bytes() / sizeof(float))) return;
  to->logits_of_T.assign(static_cast<size_t>(t), -1);
  for (size_t r = 0; r < output_rows.size(); ++r) {
    to->logits_of_T[output_rows[r]] = static_cast<int32_t>(r);
  }
  to->logits_RV.Reserve(logits_RV.size());
  kernels::ParallelFor(exec_, static_cast<int64_t>(output_rows.size()), 1,
                       [&](int64_t begin, int64_t end) {
                         std::copy(logits_RV.begin() + begin * v, logits_RV.begin() + end * v,
                                   to->logits_RV.begin() + begin * v);
                       });
}

// The logits of the rows head_.rows_R, where those of all were kept.
bool ExactBackend::TakeLogits(std::span<const ActivationRow> known, float* logits_RV) const {
  const int64_t v = config_.vocab_size;
  std::vector<const float*> from_R;
  for (const int32_t row : head_.rows_R) {
    const auto& of = static_cast<const ExactActivations&>(*known[row].of);
    const int32_t at = of.logits_of_T.empty() ? -1 : of.logits_of_T[known[row].row];
    if (at < 0) return false;
    from_R.push_back(of.logits_RV.data() + at * v);
  }
  kernels::ParallelFor(exec_, static_cast<int64_t>(from_R.size()), 1,
                       [&](int64_t begin, int64_t end) {
                         for (int64_t r = begin; r < end; ++r) {
                           std::copy_n(from_R[r], v, logits_RV + r * v);
                         }
                       });
  return true;
}

void ExactBackend::ForwardLogprobs(const Batch& batch, KvCache& cache,
                                   std::span<const Target> targets, float temperature, bool keep,
                                   std::span<float> logprobs, std::span<float> entropies,
                                   std::span<const ActivationRow> known) {
  LayOutWeights();
  ExactCache& exact = CacheOf(cache);
  CheckSize("log-probabilities", targets.size(), logprobs.size());
  if (!entropies.empty()) CheckSize("entropies", targets.size(), entropies.size());
  for (const Target& target : targets) {
    CheckRow(target.row, batch);
    if (target.target < 0 || target.target >= config_.vocab_size) {
      throw RunError(fmt::format("target {} is not one of the model's {} tokens", target.target,
                                 config_.vocab_size));
    }
  }
  kept_.valid = false;
  if (keep) {
    kept_.batch = batch;
    kept_.cache = &exact;
    kept_.targets.assign(targets.begin(), targets.end());
    kept_.temperature = temperature;
    kept_.known.assign(known.begin(), known.end());
  }
  BatchPlan& plan = keep ? kept_.plan : plan_;
  plan.Prepare(batch, config_, exact);
  if (!known.empty()) {
    CheckSize("known rows", static_cast<size_t>(batch.rows()), known.size());
    TakeKnown(known);
  } else if (batch.rows() > 0) {
    x_TD_.Reserve(static_cast<size_t>(batch.rows() * config_.hidden_size));
    RunLayers(batch, plan, exact, keep ? &kept_.layers : nullptr, x_TD_.data());
  }

  const int64_t v = config_.vocab_size;
  kept_.log_sum_exp_N.Reserve(targets.size());
  kept_.has_logits = keep && targets.size() * static_cast<size_t>(v) <= kKeptLogits;
  if (kept_.has_logits) kept_.head.Reserve(targets.size(), config_);
  for (size_t first = 0; first < targets.size(); first += kHeadRows) {
    const size_t count = std::min(kHeadRows, targets.size() - first);
    head_.rows_R.clear();
    for (size_t i = 0; i < count; ++i) head_.rows_R.push_back(targets[first + i].row);
    if (!kept_.has_logits) head_.rows.Reserve(count, config_);
    const HeadRows out =
        kept_.has_logits ? kept_.head.From(first, config_) : head_.rows.From(0, config_);
    HeadLogits(x_TD_.data(), known, out);
    float* log_sum_exp = kept_.log_sum_exp_N.data() + first;
    kernels::LogSumExpRows(exec_, out.logits_RV, v, static_cast<int64_t>(count), v, temperature,
                           log_sum_exp, entropies.empty() ? nullptr : entropies.data() + first);
    for (size_t i = 0; i < count; ++i) {
      const std::span<const float> row(out.logits_RV + i * static_cast<size_t>(v),
                                       static_cast<size_t>(v));
      logprobs[first + i] = LogProb(row, targets[first + i].target, temperature, log_sum_exp[i]);
    }
  }
  kept_.valid = keep;
}

std::vector<int32_t> ExactBackend::TargetsByComponent(const std::vector<int32_t>& component_of_span,
                                                      int32_t components,
                                                      std::vector<size_t>* counts_C) const {
  std::vector<int32_t> component_of_row(static_cast<size_t>(kept_.batch.rows()));
  for (size_t s = 0; s < kept_.plan.spans.size(); ++s) {
    const auto& span = kept_.plan.spans[s];
    std::fill_n(component_of_row.begin() + span.first_row, span.rows, component_of_span[s]);
  }
  const auto component = [&](int32_t id) { return component_of_row[kept_.targets[id].row]; };
  std::vector<int32_t> ids(kept_.targets.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int32_t a, int32_t b) { return component(a) < component(b); });
  counts_C->assign(static_cast<size_t>(components), 0);
  for (const int32_t id : ids) ++(*counts_C)[component(id)];
  return ids;
}

void ExactBackend::HeadBackward(std::span<const int32_t> ids, const HeadGradient& gradient) {
  for (size_t first = 0; first < ids.size(); first += kHeadRows) {
    HeadBackwardChunk(ids.subspan(first, std::min(kHeadRows, ids.size() - first)), gradient);
  }
}

HeadRows ExactBackend::HeadOf(std::span<const int32_t> ids) {
  if (kept_.has_logits) return kept_.head.From(static_cast<size_t>(ids[0]), config_);
  head_.rows_R.clear();
  for (const int32_t id : ids) head_.rows_R.push_back(kept_.targets[id].row);
  head_.rows.Reserve(ids.size(), config_);
  const HeadRows rows = head_.rows.From(0, config_);
  HeadLogits(x_TD_.data(), kept_.known, rows);
  return rows;
}

// Turns the logits of the targets into the gradient by them.
void ExactBackend::LogitGradients(std::span<const int32_t> ids, const HeadGradient& gradient,
                                  float* logits) {
  const size_t count = ids.size();
  const int64_t rows = static_cast<int64_t>(count), v = config_.vocab_size;
  const bool entropy = !gradient.dentropies.empty();
  head_.tokens_R.resize(count);
  for (auto* buffer :
       {&head_.log_sum_exp_R, &head_.entropy_R, &head_.dlogprob_R, &head_.dentropy_R}) {
    buffer->Reserve(count);
  }
  for (size_t i = 0; i < count; ++i) {
    head_.tokens_R[i] = kept_.targets[ids[i]].target;
    head_.log_sum_exp_R[i] = kept_.log_sum_exp_N[ids[i]];
    head_.dlogprob_R[i] = gradient.dlogprobs[ids[i]];
    if (entropy) head_.dentropy_R[i] = gradient.dentropies[ids[i]];
  }
  if (entropy) {
    kernels::LogSumExpRows(exec_, logits, v, rows, v, kept_.temperature, head_.log_sum_exp_R.data(),
                           head_.entropy_R.data());
  }
  const bool capped = config_.logit_softcap > 0;
  if (capped) {
    head_.capped_RV.Reserve(static_cast<size_t>(rows * v));
    std::copy_n(logits, rows * v, head_.capped_RV.data());
  }
  kernels::LogProbGradRows(exec_, logits, v, rows, v, kept_.temperature, head_.tokens_R.data(),
                           head_.log_sum_exp_R.data(), entropy ? head_.entropy_R.data() : nullptr,
                           head_.dlogprob_R.data(), entropy ? head_.dentropy_R.data() : nullptr);
  if (capped) {
    kernels::SoftCapBackward(exec_, head_.capped_RV.data(), rows * v,
                             static_cast<float>(config_.logit_softcap), logits);
  }
}

void ExactBackend::HeadBackwardChunk(std::span<const int32_t> ids, const HeadGradient& gradient) {
  const size_t count = ids.size();
  const int64_t rows = static_cast<int64_t>(count), d = config_.hidden_size, v = config_.vocab_size;
  const HeadRows head = HeadOf(ids);
  // Kept logits have become gradients in the pass over inputs, which is the first.
  if (gradient.inputs || !kept_.has_logits) LogitGradients(ids, gradient, head.logits_RV);
  if (gradient.weights) {
    kernels::MatmulGradWeight(exec_, head.logits_RV, v, head.normed_RD, d, rows, v, d,
                              gradient.grads + offsets_.head);
  }
  if (!gradient.inputs) return;
  head_.d_normed_RD.Reserve(count * static_cast<size_t>(d));
  head_.d_x_RD.Resize(count * static_cast<size_t>(d));
  kernels::MatmulGradInput(exec_, head.logits_RV, v, Data(offsets_.head), rows, v, d,
                           head_.d_normed_RD.data(), d);
  kernels::RmsNormBackward(exec_, head_.d_normed_RD.data(), head.x_RD, Data(offsets_.norm),
                           head.inv_rms_R, rows, d, head_.d_x_RD.data(),
                           gradient.grads + offsets_.norm, norm_offset());
  for (size_t i = 0; i < count;
       ++i) {  // a row may be asked for more than once: a prompt's last one
    const float* from = head_.d_x_RD.data() + i * static_cast<size_t>(d);
    float* to = back_.d_x_TD.data() + kept_.targets[ids[i]].row * d;
    for (int64_t j = 0; j < d; ++j) to[j] += from[j];
  }
}

}  // namespace hone
