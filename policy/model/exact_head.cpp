// Final norm, projection to the vocabulary, log-softmax, and their backward: on the rows asked for
// only, and for training in chunks of rows, so that [tokens, vocabulary] never exists.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "common/error.h"
#include "kernels/rmsnorm.h"
#include "kernels/softmax.h"
#include "policy/logprob.h"
#include "policy/model/exact_backend.h"

namespace hone {
namespace {

constexpr size_t kHeadRows = 256;  // of a chunk; changes no bit

void CheckRow(int32_t row, const Batch& batch) {
  if (row < 0 || row >= batch.rows()) {
    throw RunError(fmt::format("row {} was asked for, the batch has {}", row, batch.rows()));
  }
}

}  // namespace

void ExactBackend::HeadLogits(float* logits_RV) {
  const int64_t rows = static_cast<int64_t>(head_.rows_R.size()), d = config_.hidden_size;
  head_.x_RD.Reserve(static_cast<size_t>(rows * d));
  head_.normed_RD.Reserve(static_cast<size_t>(rows * d));
  head_.inv_rms_R.Reserve(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(x_TD_.data() + head_.rows_R[r] * d, d, head_.x_RD.data() + r * d);
  }
  kernels::RmsNorm(exec_, head_.x_RD.data(), Data(offsets_.norm),
                   static_cast<float>(config_.rms_norm_eps), rows, d, head_.normed_RD.data(),
                   head_.inv_rms_R.data());
  kernels::Matmul(exec_, head_.normed_RD.data(), d, rows, packed_.forward().head, logits_RV,
                  config_.vocab_size);
}

void ExactBackend::Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
                           std::span<float> logits_RV) {
  CheckReady();
  ExactCache& exact = CacheOf(cache);
  CheckSize("logits", output_rows.size() * static_cast<size_t>(config_.vocab_size),
            logits_RV.size());
  for (const int32_t row : output_rows) CheckRow(row, batch);
  kept_.valid = false;
  plan_.Prepare(batch, config_, exact);
  if (batch.rows() == 0) return;
  RunLayers(batch, plan_, exact, /*keep=*/false);
  head_.rows_R.assign(output_rows.begin(), output_rows.end());
  if (!output_rows.empty()) HeadLogits(logits_RV.data());
}

void ExactBackend::ForwardLogprobs(const Batch& batch, KvCache& cache,
                                   std::span<const Target> targets, float temperature, bool keep,
                                   std::span<float> logprobs, std::span<float> entropies) {
  CheckReady();
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
  }
  BatchPlan& plan = keep ? kept_.plan : plan_;
  plan.Prepare(batch, config_, exact);
  if (batch.rows() > 0) RunLayers(batch, plan, exact, keep);

  const int64_t v = config_.vocab_size;
  kept_.log_sum_exp_N.Reserve(targets.size());
  for (size_t first = 0; first < targets.size(); first += kHeadRows) {
    const size_t count = std::min(kHeadRows, targets.size() - first);
    head_.rows_R.clear();
    for (size_t i = 0; i < count; ++i) head_.rows_R.push_back(targets[first + i].row);
    head_.logits_RV.Reserve(count * static_cast<size_t>(v));
    HeadLogits(head_.logits_RV.data());
    float* log_sum_exp = kept_.log_sum_exp_N.data() + first;
    kernels::LogSumExpRows(exec_, head_.logits_RV.data(), v, static_cast<int64_t>(count), v,
                           temperature, log_sum_exp,
                           entropies.empty() ? nullptr : entropies.data() + first);
    for (size_t i = 0; i < count; ++i) {
      const std::span<const float> row(head_.logits_RV.data() + i * static_cast<size_t>(v),
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

void ExactBackend::HeadBackwardChunk(std::span<const int32_t> ids, const HeadGradient& gradient) {
  const size_t count = ids.size();
  const int64_t rows = static_cast<int64_t>(count), d = config_.hidden_size, v = config_.vocab_size;
  const bool entropy = !gradient.dentropies.empty();
  head_.logits_RV.Reserve(count * static_cast<size_t>(v));
  head_.rows_R.resize(count);
  head_.tokens_R.resize(count);
  for (auto* buffer :
       {&head_.log_sum_exp_R, &head_.entropy_R, &head_.dlogprob_R, &head_.dentropy_R}) {
    buffer->Reserve(count);
  }
  for (size_t i = 0; i < count; ++i) {
    const Target& target = kept_.targets[ids[i]];
    head_.rows_R[i] = target.row;
    head_.tokens_R[i] = target.target;
    head_.log_sum_exp_R[i] = kept_.log_sum_exp_N[ids[i]];
    head_.dlogprob_R[i] = gradient.dlogprobs[ids[i]];
    if (entropy) head_.dentropy_R[i] = gradient.dentropies[ids[i]];
  }
  float* logits = head_.logits_RV.data();
  HeadLogits(logits);
  if (entropy) {
    kernels::LogSumExpRows(exec_, logits, v, rows, v, kept_.temperature, head_.log_sum_exp_R.data(),
                           head_.entropy_R.data());
  }
  kernels::LogProbGradRows(exec_, logits, v, rows, v, kept_.temperature, head_.tokens_R.data(),
                           head_.log_sum_exp_R.data(), entropy ? head_.entropy_R.data() : nullptr,
                           head_.dlogprob_R.data(), entropy ? head_.dentropy_R.data() : nullptr);
  if (gradient.weights) {
    kernels::MatmulGradWeight(exec_, logits, v, head_.normed_RD.data(), d, rows, v, d,
                              gradient.grads + offsets_.head);
  }
  if (!gradient.inputs) return;
  head_.d_normed_RD.Reserve(count * static_cast<size_t>(d));
  head_.d_x_RD.Resize(count * static_cast<size_t>(d));
  kernels::Matmul(exec_, logits, v, rows, packed_.Backward(exec_, weights_->data.data()).head,
                  head_.d_normed_RD.data(), d);
  kernels::RmsNormBackward(exec_, head_.d_normed_RD.data(), head_.x_RD.data(), Data(offsets_.norm),
                           head_.inv_rms_R.data(), rows, d, head_.d_x_RD.data(),
                           gradient.grads + offsets_.norm);
  for (size_t i = 0; i < count;
       ++i) {  // a row may be asked for more than once: a prompt's last one
    const float* from = head_.d_x_RD.data() + i * static_cast<size_t>(d);
    float* to = back_.d_x_TD.data() + head_.rows_R[i] * d;
    for (int64_t j = 0; j < d; ++j) to[j] += from[j];
  }
}

}  // namespace hone
