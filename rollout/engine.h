// The rollout engine: continuous batching over a paged cache. Tokens in, tokens out.
//
// Each Step() forms one batch of prefill chunks and single tokens, runs the backend's forward,
// draws tokens, and retires what is done. A group's prompt is prefilled once; its samples share the
// prompt's pages. What a sample's tokens are depends only on its request and the weights: not on
// what else runs, on the limits below or on when it was submitted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "policy/backend.h"
#include "policy/text/tokenizer.h"
#include "rollout/group.h"
#include "rollout/sampler.h"

namespace hone {

struct GenerationParams {
  SamplingParams sampling;
  // A completion ends with kLength when it has this many tokens, or when prompt and completion
  // reach EngineLimits::max_length.
  int32_t max_tokens = 256;
  // Text that ends a completion; the tokens up to and including the one that completes it are kept.
  std::vector<std::string> stop;
  std::vector<int32_t> eos_token_ids;  // kept as the completion's last token
  bool ignore_eos = false;
  uint64_t seed = 0;
};

struct EngineLimits {
  int32_t max_sequences = 256;      // running at once
  int32_t max_batch_tokens = 2048;  // rows of one forward
  // Of the paged cache. 0: enough for max_sequences at full length, but no more than 1 GiB; and
  // always enough for one sequence at full length.
  int64_t cache_bytes = 0;
  int32_t page_size = kDefaultPageSize;  // positions of a page of it: a multiple of 16
  int32_t max_length = 0;  // prompt and completion; 0, or more than it: max_position_embeddings
  // Activations kept with the results (policy/activations.h), in bytes until the engine is next
  // idle. When there would be more, those at hand are dropped and no more are kept until then.
  int64_t activation_bytes = 0;
};

struct GenerationRequest {
  uint64_t id = 0;                     // the caller's; returned with the result
  uint64_t group = 0;                  // address of the draws
  std::vector<int32_t> prompt_tokens;  // not empty
  int32_t num_generations = 1;
};

struct GenerationResult {
  uint64_t id = 0;
  std::vector<Completion> completions;
  std::shared_ptr<const GroupActivations> activations = nullptr;  // null unless all of them were kept
};

// What the engine has done since it was made.
struct EngineStats {
  int64_t forwards = 0;
  int64_t rows = 0;         // of all forwards
  int64_t drawn = 0;        // tokens
  int64_t preemptions = 0;  // sequences put back since the cache was full
};

// Thread contract: one thread. The backend and tokenizer outlive the engine, which draws tokens
// with the backend's threads.
class Engine {
 public:
  // `tokenizer` may be null when there are no stop strings. Throws UsageError naming the parameter
  // or limit that is out of its range.
  Engine(Backend& backend, const Tokenizer* tokenizer, const GenerationParams& params,
         const EngineLimits& limits);
  ~Engine();

  // Throws UsageError when the request cannot be served: no prompt, a token that the model does not
  // have, no room for one token within max_length, or a cache too small for it at its longest.
  void Submit(GenerationRequest request);
  // One forward. False when there is nothing to do. When the cache is full, the youngest sequences
  // are put back and recomputed later: to the same bits. Throws RunError when the logits are no
  // numbers; the engine is of no use then.
  bool Step();
  bool idle() const;
  std::vector<GenerationResult> TakeResults();  // whole groups, in order of completion
  // New weights; only when idle (else RunError). Completions carry their version and fingerprint.
  void SetWeights(std::shared_ptr<const Weights> weights);
  EngineStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
