// What a job that trains (supervised, or replayed from traces) takes and gives, beside its config.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>

#include "learner/learner.h"

namespace hone {

// Called on the job's thread after each optimizer step.
using OnStep = std::function<void(uint64_t step, const Metrics& metrics)>;

struct JobOutcome {
  uint64_t steps = 0;                // optimizer steps done in all
  std::filesystem::path checkpoint;  // the last one
  bool interrupted = false;
};

}  // namespace hone
