// What flows from prompt to learner. Plain structs; transport/ turns them into messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/hash.h"

namespace hone {

// One prompt to be completed num_generations times: the unit that is issued, reissued and accounted
// for.
struct PromptTask {
  uint64_t group_id = 0;  // ordinal in the run: generation batch * prompts_per_step + index
  uint64_t step = 0;      // the generation batch it belongs to
  uint64_t version = 0;   // of the weights that must sample it
  int32_t num_generations = 0;
  std::vector<int32_t> prompt_tokens;
  std::string prompt;   // text, as the tokens were made from
  std::string columns;  // the data line, a JSON object: what verifiers may look at
};

enum class FinishReason : uint8_t { kStop = 0, kLength = 1 };

struct Completion {
  std::vector<int32_t> tokens;  // with the EOS that ended it, if one did
  std::vector<float> logprobs;  // of each token, at the sampling temperature
  // Of the whole vocabulary's distribution that each token was drawn from, at that temperature and
  // before any truncation or penalty, in nats. Empty when not known (a replayed trace).
  std::vector<float> entropies;
  FinishReason finish_reason = FinishReason::kLength;
  uint64_t version = 0;  // of the weights that drew it
  Hash128 fingerprint;   // of those weights, as computed by the worker that drew it
};

struct RolloutGroup {
  PromptTask task;
  std::vector<Completion> completions;  // num_generations of them, in order of sample
};

}  // namespace hone
