// The learning rate of each step, as transformers' schedules give it.
#pragma once

#include <cstdint>

#include "common/config.h"

namespace hone {

// The rate that step `done` + 1 of `total` is taken with, when `done` steps are done: what
// transformers logs for that step. lr_scheduler_type: linear, cosine (both fall to 0 over the steps
// after the warm-up), constant, constant_with_warmup. The warm-up rises from 0 over
// optimizer.warmup_steps; "constant" has none.
double LearningRate(const OptimizerSection& optimizer, int64_t done, int64_t total);

}  // namespace hone
