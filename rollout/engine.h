// The rollout engine: continuous batching over a paged cache. Tokens in, tokens out.
//
// Each Step() forms one batch of prefill chunks and single tokens, runs the backend's forward, draws
// tokens, and retires what is done. A group's prompt is prefilled once; its samples share the prompt's
// pages. What a sample's tokens are depends only on its request and the weights: not on what else runs,
// on the limits below or on when it was submitted.
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
  int32_t max_tokens = 256;
  std::vector<std::string> stop;         // text that ends a completion; the tokens up to and including the one
                                         // that completes it are kept
  std::vector<int32_t> eos_token_ids;    // kept as the completion's last token
  bool ignore_eos = false;
  uint64_t seed = 0;
};

struct EngineLimits {
  int32_t max_sequences = 256;      // running at once
  int32_t max_batch_tokens = 2048;  // rows of one forward
  int64_t cache_bytes = 0;          // of the paged cache; 0: enough for max_sequences at full length
  int32_t max_length = 0;           // prompt and completion; 0: the model's max_position_embeddings
};

struct GenerationRequest {
  uint64_t id = 0;     // the caller's; returned with the result
  uint64_t group = 0;  // address of the draws
  std::vector<int32_t> prompt_tokens;  // not empty
  int32_t num_generations = 1;
};

struct GenerationResult {
  uint64_t id = 0;
  std::vector<Completion> completions;
};

// Thread contract: one thread. The backend and tokenizer outlive the engine.
class Engine {
 public:
  // `tokenizer` may be null when there are no stop strings.
  Engine(Backend& backend, const Tokenizer* tokenizer, const GenerationParams& params,
         const EngineLimits& limits);
  ~Engine();

  // Throws UsageError when the prompt and max_tokens cannot fit the limits.
  void Submit(GenerationRequest request);
  // One forward. False when there is nothing to do. When the cache is full, the youngest sequences are put
  // back and recomputed later: to the same bits.
  bool Step();
  bool idle() const;
  std::vector<GenerationResult> TakeResults();  // whole groups, in order of completion
  // New weights; only when idle. Completions carry their version and fingerprint.
  void SetWeights(std::shared_ptr<const Weights> weights);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
