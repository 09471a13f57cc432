// The engine's own structs: a group in the making, and each of its samples.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "policy/activations.h"
#include "rollout/group.h"
#include "rollout/stop.h"

namespace hone {

// One request. Lives as long as one of its samples runs.
struct Group {
  uint64_t id = 0;       // the caller's
  uint64_t ordinal = 0;  // in order of submission
  uint64_t address = 0;  // of the draws
  int32_t prompt_length = 0;
  int32_t unfinished = 0;                         // samples
  std::vector<Completion> completions;            // in order of sample; filled as samples finish
  std::shared_ptr<GroupActivations> activations;  // filled likewise; null: not kept
};

// Who goes first, and who gives way last: requests in order of submission, a request's samples in
// order.
using Age = std::pair<uint64_t, uint32_t>;

// One sample. What it has left to compute are the tokens from `cached` on: one when it decodes,
// more when its prompt is new or when it was put back and is computed again. Until the prompt is
// through, sample 0 stands for its whole group.
struct Sequence {
  std::shared_ptr<Group> group;
  uint32_t sample = 0;
  std::vector<int32_t> tokens;             // the prompt, then the completion so far
  std::vector<float> logprobs, entropies;  // of the completion
  int32_t cached = 0;                      // positions whose keys and values are in the pages
  std::vector<int32_t> pages;              // anchored: policy/backend.h
  // The page with the end of the prompt, when that fills no whole page: held until the sequence's
  // first batch copies it to a page of its own. -1: none.
  int32_t prompt_end_page = -1;
  StopMatcher stop;
  std::vector<ActivationRow> activations;  // by position, as far as they are kept

  Age age() const { return {group->ordinal, sample}; }
  int32_t length() const { return static_cast<int32_t>(tokens.size()); }
  int32_t remaining() const { return length() - cached; }
  int32_t completion_length() const { return length() - group->prompt_length; }
  bool holds_pages() const { return !pages.empty() || prompt_end_page >= 0; }
};

}  // namespace hone
