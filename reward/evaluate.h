// Evaluation of a policy on held-out problems: pass@k, mean reward, mean length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/backend.h"
#include "policy/files/model_folder.h"
#include "reward/scorer.h"
#include "rollout/engine.h"
#include "rollout/prompts.h"

namespace hone {

struct EvalOptions {
  GenerationParams generation;
  EngineLimits limits;
  std::vector<int32_t> k = {1};  // pass@k; max(k) samples a prompt unless num_generations says more
  int32_t num_generations = 0;
  int32_t bootstrap = 1000;  // resamples of the prompts for the 95 % intervals
};

struct Interval {
  double value = 0, low = 0, high = 0;
};

struct EvalResult {
  std::vector<std::pair<int32_t, Interval>>
      pass_at_k;            // unbiased estimator, Chen et al. arXiv:2107.03374 eq. 1
  Interval reward, length;  // weighted reward; completion tokens
  int64_t prompts = 0;
  std::vector<ScoredGroup> groups;  // every completion, in order of prompt
};

// A sample passes when the first verifier's reward is at least 1 (docs of `hone eval`).
EvalResult Evaluate(Backend& backend, const ModelFolder& model, const std::vector<PromptRow>& rows,
                    const Scorer& scorer, const EvalOptions& options);

}  // namespace hone
