// The whole of what the rollout engine and the learner may ask of a model.
//
// One forward over a ragged batch: any mix of prefill chunks and single tokens of many sequences,
// each with its positions and its pages of the key/value cache. The engine and the learner call the
// same forward; the learner asks it to keep what the backward needs.
//
// Numerics contract of the `exact` backend: every output row depends only on its own sequence's
// tokens and the weights: not on what else is in the batch, on chunking, page numbers, threads or
// ISA. The `torch` backend (plain LibTorch operators) makes no such promise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/thread_pool.h"
#include "kernels/exec.h"
#include "policy/activations.h"
#include "policy/model/config.h"
#include "policy/model/weights.h"

namespace hone {

// Positions a page of the cache holds, unless who makes the cache asks for another multiple of 16
// (vLLM's block_size). Larger pages make shorter lists; smaller ones waste less at a sequence's
// end. Pages are anchored: page i of a sequence covers positions [i * page_size, (i + 1) *
// page_size).
inline constexpr int32_t kDefaultPageSize = 16;

// Throws UsageError unless it is a positive multiple of 16.
void CheckPageSize(int32_t page_size);

// Number of pages that `positions` positions lie in.
inline int32_t PagesFor(int64_t positions, int32_t page_size) {
  return static_cast<int32_t>((positions + page_size - 1) / page_size);
}

// Consecutive rows of a batch that are consecutive positions of one sequence. The keys and values
// of all earlier positions must already be in its pages, or be written by this batch (an earlier
// span of the same batch whose pages this one shares, or a PageCopy).
struct SequenceSpan {
  int32_t first_row = 0;
  int32_t rows = 0;
  int32_t position = 0;    // of the first row
  int32_t first_page = 0;  // index into Batch::pages of the sequence's page 0
};

// Within each layer, after the batch's keys and values are written and before attention: copy the
// first `slots` positions of page `source` to page `target`. So a sample takes over the last,
// partly filled page of the prompt it shares. Copies happen in order of the list.
struct PageCopy {
  int32_t source = 0;
  int32_t target = 0;
  int32_t slots = 0;
};

struct Batch {
  std::vector<int32_t> tokens_T;
  std::vector<SequenceSpan> spans;  // cover rows 0 … T-1 in order
  std::vector<int32_t> pages;       // page numbers, a run for each sequence
  std::vector<PageCopy> copies;
  int32_t page_size = kDefaultPageSize;  // the cache's
  int32_t rows() const { return static_cast<int32_t>(tokens_T.size()); }
  void Clear();  // all but page_size
};

// Keys and values of all layers, in pages. Made by the backend that uses it; whoever holds it
// decides which page belongs to whom.
class KvCache {
 public:
  virtual ~KvCache() = default;
  virtual int32_t pages() const = 0;
  virtual int32_t page_size() const = 0;
  virtual size_t bytes() const = 0;
};

// What the learner wants of a batch: for row `row`, the log-probability of token `target` following
// it.
struct Target {
  int32_t row = 0;
  int32_t target = 0;
};

// A model with weights. Thread contract: one caller at a time; it spreads work over its own pool.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const ModelConfig& config() const = 0;
  virtual const WeightsLayout& layout() const = 0;
  // What it spreads work over; the caller may use it too, between calls. One pool for both, so that
  // no idle thread of one spins where a thread of the other would work.
  virtual ThreadPool& pool() = 0;

  // Takes a version of the weights and lays it out for use. Keeps a reference; the data is not
  // copied unless a kernel needs another layout.
  virtual void SetWeights(std::shared_ptr<const Weights> weights) = 0;
  virtual const Weights& weights() const = 0;

  // Whether it keeps the numerics contract above: then log-probabilities and entropies recorded
  // when tokens were drawn are, under the same weights, the ones that ForwardLogprobs would give,
  // and who has them need not run it.
  virtual bool exact() const = 0;

  virtual std::unique_ptr<KvCache> NewCache(int32_t pages,
                                            int32_t page_size = kDefaultPageSize) = 0;

  // Runs the batch, writing its keys and values into the cache, and gives the logits of the rows
  // asked for: logits_RV, row-major [output_rows.size(), vocab_size], of the token that follows
  // each. With `record`, the activations of all rows go there; a backend without a contract about
  // bits records none.
  virtual void Forward(const Batch& batch, KvCache& cache, std::span<const int32_t> output_rows,
                       std::span<float> logits_RV,
                       std::shared_ptr<const Activations>* record = nullptr) = 0;

  // Training forward. Runs the batch (which must hold its sequences from position 0 on) and gives,
  // for each target i, the natural-log probability log softmax(logits / temperature)[target] and
  // the entropy of that distribution (nats; left out when `entropies` is empty). With `keep`, the
  // activations stay until the next call for one Backward. The log-probability is, to the bit, what
  // LogProb() in policy/logprob.h gives on Forward's logits. `known`, empty or one for each row:
  // what a recording Forward under the same weights computed of these tokens at these positions,
  // kept alive until the Backward; the layers are then not run again, and the head only where its
  // logits were not kept.
  virtual void ForwardLogprobs(const Batch& batch, KvCache& cache, std::span<const Target> targets,
                               float temperature, bool keep, std::span<float> logprobs,
                               std::span<float> entropies,
                               std::span<const ActivationRow> known = {}) = 0;

  // What ForwardLogprobs gives, nothing kept, before it is rounded to float: of a backend made with
  // BackendOptions::float64. Throws RunError in any other.
  virtual void ForwardLogprobsInDouble(const Batch& batch, KvCache& cache,
                                       std::span<const Target> targets, double temperature,
                                       std::span<double> logprobs, std::span<double> entropies);

  // Adds to grads (flat, as layout()) the gradient of  sum_i dlogprobs[i] * logprob_i +
  // dentropies[i] * entropy_i  of the kept forward. `dentropies` may be empty (all zero). The
  // forward's cache must still be as it left it. Deterministic: the same bits for any number of
  // threads, any ISA, and any cut of a step's groups into batches. (Not for any page size: that
  // says how much of a prompt is copied, and each copy's gradient is summed before it joins the
  // others.)
  virtual void Backward(std::span<const float> dlogprobs, std::span<const float> dentropies,
                        std::span<float> grads) = 0;
};

struct BackendOptions {
  std::string name = "exact";  // "exact" or "torch"
  std::string device = "cpu";  // "cpu"; "cuda" for torch in a build with HONE_CUDA
  // "f32" or "bf16": what matrices are rounded to when a version of the weights is taken, to
  // nearest, ties to even. Norms and biases are not, and arithmetic is in fp32. So logits are those
  // of the rounded weights, and Backward gives the gradient at them.
  std::string dtype = "f32";
  int threads = 0;                                 // 0: all cores
  std::optional<kernels::Isa> isa = std::nullopt;  // of "exact"; unset: DetectIsa()
  bool float64 = false;  // of "torch": computes in double throughout, the reference
};

// Throws UsageError for an unknown backend, device or dtype (naming what there is), and for a
// config whose sizes do not fit together; RunError when the module of the torch backend is missing
// or cannot be loaded.
std::unique_ptr<Backend> MakeBackend(const BackendOptions& options, const ModelConfig& config);

}  // namespace hone
