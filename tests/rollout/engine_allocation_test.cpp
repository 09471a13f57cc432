// The decode loop takes no memory: a step works in what earlier ones left.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine_runs.h"
#include "rollout/engine.h"
#include "tiny_policy.h"

namespace {
std::atomic<int64_t> allocations{0};
}

void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace hone {
namespace {

// What 50 steps allocate, after one run and the prompts of another.
int64_t AllocationsOfDecoding(Backend& backend) {
  GenerationParams params;
  params.max_tokens = 60;
  params.ignore_eos = true;
  params.sampling.top_p = 0.9f;
  Engine engine(backend, nullptr, params, {});
  const auto submit = [&] {
    for (uint64_t i = 0; i < 12; ++i) engine.Submit({i, i, RandomPrompt(i, 20), 3});
  };
  submit();  // the first time, everything grows to its size
  while (engine.Step()) {
  }
  submit();
  for (int step = 0; step < 5; ++step) engine.Step();  // prompts
  const int64_t before = allocations;
  for (int step = 0; step < 50; ++step) engine.Step();
  const int64_t taken = allocations - before;
  EXPECT_FALSE(engine.idle());
  return taken;
}

TEST(EngineAllocationTest, DecodeStepsAllocateNothing) {
  EXPECT_EQ(AllocationsOfDecoding(*TinyBackend(/*threads=*/2)), 0);
}

TEST(EngineAllocationTest, DecodeStepsOfExpertsAllocateNothing) {
  ModelConfig config = TinyConfig();
  config.architecture = "Qwen3MoeForCausalLM";
  config.qk_norm = true;
  config.sparse = {1, 1};
  config.num_experts = 6;
  config.experts_per_token = 2;
  config.expert_size = 24;
  EXPECT_EQ(AllocationsOfDecoding(*TinyBackend(/*threads=*/2, /*seed=*/1, config)), 0);
}

}  // namespace
}  // namespace hone
