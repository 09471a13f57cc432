// One generation batch, complete and in order: what one or more optimizer steps learn from.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/activations.h"
#include "reward/scored_group.h"

namespace hone {

struct StepBatch {
  uint64_t step = 0;                // ordinal of the generation batch
  std::vector<ScoredGroup> groups;  // in order of group_id
  // Of each group, what whoever sampled it in this process kept; empty, or null: nothing. Not on
  // the wire.
  std::vector<std::shared_ptr<const GroupActivations>> activations = {};
};

}  // namespace hone
