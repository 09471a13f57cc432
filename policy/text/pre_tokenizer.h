// Cuts a text into words, within which alone byte pairs merge: tokenizer.json's "pre_tokenizer".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/split_pattern.h"

namespace hone {

// What becomes of a match: it is dropped, stands alone, joins the matches beside it, or joins the
// part before or after it.
enum class SplitBehavior { kRemoved, kIsolated, kContiguous, kMergedWithPrevious, kMergedWithNext };

// One step; each cuts the pieces that the step before it left.
struct PreTokenizerStep {
  bool add_prefix_space = false;        // " " is put before a piece that does not begin with one
  std::optional<SplitPattern> pattern;  // none: the piece stays whole
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // what the pattern leaves counts as the match
};

// The words of a text, in order, none empty.
std::vector<std::string> PreTokenize(const std::vector<PreTokenizerStep>& steps,
                                     std::string_view text);

}  // namespace hone
