// From prompts and completions to the backend's batches: a group's prompt stands once, its
// completions follow as spans that share the prompt's pages.
//
// Layout of one group, prompt of P tokens: a span of the prompt's rows, then a span for each
// completion of its tokens but the last (nothing is predicted from that one). The completion's
// first token is the prompt's last row's target. Full pages of the prompt are shared; the last,
// partly filled one is copied (PageCopy) to each completion's own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "policy/backend.h"

namespace hone {

// A prompt and what followed it, by reference: the tokens outlive the packing.
struct PackedGroup {
  std::span<const int32_t> prompt;
  std::vector<std::span<const int32_t>> completions;
};

// A stretch of targets that is one completion: targets [first_target, first_target + its tokens).
struct PackedCompletion {
  int32_t group = 0, sample = 0;  // as given to Pack
  int32_t first_target = 0;
};

// Whose tokens a span of the batch holds.
struct PackedSpan {
  int32_t group = 0, sample = -1;  // as given to Pack; sample -1: the prompt
};

struct PackedBatch {
  Batch batch;
  std::vector<PackedSpan> spans;  // of each of the batch's
  std::vector<Target> targets;    // in order of completion and token
  std::vector<PackedCompletion> completions;
  int32_t pages = 0;  // the cache it needs: pages 0 … pages - 1
};

// Puts groups, in order, together into batches of at most `rows` rows. A group larger than that has
// its own batch; one larger than `max_group_rows` too (at least `rows`) is cut between its
// completions, repeating the prompt; a single completion is never cut, so a batch may be larger by
// what one completion needs. Groups of the list `use` only (indices, ascending); completions
// without a token take no part.
std::vector<PackedBatch> Pack(std::span<const PackedGroup> groups, std::span<const int32_t> use,
                              int64_t rows, int64_t max_group_rows = 0);

// The activations of every row of the batch, of what is known of each group; empty unless weights
// of this fingerprint computed all of them.
std::vector<ActivationRow> KnownRows(
    const PackedBatch& packed, std::span<const std::shared_ptr<const GroupActivations>> of_groups,
    const Hash128& fingerprint);

}  // namespace hone
