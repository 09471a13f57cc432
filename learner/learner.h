// The learner: from scored groups to new weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config.h"
#include "learner/step_batch.h"
#include "policy/backend.h"
#include "policy/files/model_folder.h"

namespace hone {

// Values of one optimizer step by their public names (loss, grad_norm, reward, clip_ratio/low_mean,
// …).
using Metrics = std::map<std::string, double>;

// Everything that must come back on resume, beside the weights and the optimizer's moments.
struct LearnerState {
  uint64_t step = 0;     // optimizer steps done; also the version of the weights
  uint64_t batches = 0;  // generation batches learned
  uint64_t num_tokens =
      0;  // prompt and completion tokens so far; a prompt counts with each of its samples, a batch
          // once, however many steps it serves (TRL's num_tokens)
};

// Thread contract: one thread.
class Learner {
 public:
  // `backend` has model's layout; its weights are set by the learner. `reference` (may be null) is
  // a backend that already holds the reference policy, needed when algorithm.beta > 0. `threads` is
  // for the optimizer (0: all cores); the backends have their own.
  Learner(const Config& config, const ModelFolder& model, Backend& backend, Backend* reference,
          int threads = 0);
  ~Learner();

  // Learns one batch: num_iterations optimizer steps (fewer at the end of the run), one Metrics
  // each. The new weights are in weights() afterwards, and advantages() gives what the batch's
  // samples got. Throws RunError when a gradient is not finite (the weights stay as they were), or
  // for a batch that cannot be learned (a token outside the vocabulary, a sequence longer than the
  // model's positions).
  std::vector<Metrics> Step(const StepBatch& batch);
  // Supervised step: cross-entropy on completion tokens (mean over tokens of the batch). Metrics:
  // loss, entropy, grad_norm, learning_rate, num_tokens, time/learn.
  struct Example {
    std::vector<int32_t> prompt_tokens, completion_tokens;
  };
  Metrics SftStep(const std::vector<Example>& examples);

  std::shared_ptr<const Weights> weights() const;
  const LearnerState& state() const;
  // Advantage of each sample of the last batch [groups][samples].
  const std::vector<std::vector<float>>& advantages() const;

  // A checkpoint: a Hugging Face folder with a trainer/ folder (optimizer.safetensors, state.json,
  // manifest.json with a hash of every file). Appears whole or not at all.
  void Save(const std::filesystem::path& folder) const;
  // Throws FileError when a file is missing or its hash differs.
  void Load(const std::filesystem::path& folder);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
