// One generation batch, complete and in order: what one or more optimizer steps learn from.
#pragma once

#include <cstdint>
#include <vector>

#include "reward/scored_group.h"

namespace hone {

struct StepBatch {
  uint64_t step = 0;                // ordinal of the generation batch
  std::vector<ScoredGroup> groups;  // in order of group_id
};

}  // namespace hone
