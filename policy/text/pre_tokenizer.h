// Cuts a text into words, within which alone tokens are looked for: tokenizer.json's
// "pre_tokenizer".
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/split_pattern.h"
#include "policy/text/word_scanner.h"

namespace hone {

// What becomes of a match: it is dropped, stands alone, joins the matches beside it, or joins the
// part before or after it.
enum class SplitBehavior { kRemoved, kIsolated, kContiguous, kMergedWithPrevious, kMergedWithNext };

enum class PrependScheme { kAlways, kFirst, kNever };

// One step; each cuts the pieces that the step before it left, by the first of `scanner`, `pattern`
// and `classes` that is there; without any, the pieces stay whole.
struct PreTokenizerStep {
  bool add_prefix_space = false;  // " " is put before a piece that does not begin with one

  // Metaspace: spaces become `replacement` (UTF-8, one character), and one is put before a piece
  // that does not begin with it. Empty: no Metaspace.
  std::string replacement;
  PrependScheme prepend = PrependScheme::kNever;

  std::optional<WordScanner> scanner;
  std::optional<SplitPattern> pattern;
  uint16_t classes = 0;  // a match is one character of these (unicode_classes.h)
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // what the pattern leaves counts as the match
};

// Bytes of the text, or of a rewritten copy of it; `from_start` as in NormalizedText.
struct Piece {
  std::string_view text;
  size_t from_start = 0;
};

// The pieces of a text. Valid as long as this and the text.
struct Pieces {
  std::vector<Piece> list;         // in order, none empty
  std::deque<std::string> copies;  // what the views of rewritten pieces look into
};

// Throws RunError when a pattern passes its limits.
Pieces PreTokenize(const std::vector<PreTokenizerStep>& steps, Piece text);

}  // namespace hone
