// Running the engine to its end, and comparing what came out.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "rollout/engine.h"

namespace hone {

std::vector<int32_t> RandomPrompt(uint64_t seed, int32_t length);
// Prompts around the edges of a page, some of them groups.
std::vector<GenerationRequest> MixedRequests();
GenerationParams MixedParams();
int64_t PageBytes(int32_t page_size = kDefaultPageSize);

struct Outcome {
  std::map<uint64_t, std::vector<Completion>> completions;  // by id
  std::vector<uint64_t> order;
  EngineStats stats;
};
Outcome Generate(Backend& backend, const GenerationParams& params, const EngineLimits& limits,
                 const std::vector<GenerationRequest>& requests,
                 const Tokenizer* tokenizer = nullptr);

void ExpectSameBits(const Completion& a, const Completion& b);
void ExpectSameBits(const Outcome& a, const Outcome& b);

}  // namespace hone
