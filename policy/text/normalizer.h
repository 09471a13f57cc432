// Rewrites a text before it is cut into words: tokenizer.json's "normalizer".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/split_pattern.h"
#include "policy/text/utf8.h"

namespace hone {

enum class NormalizerKind {
  kNormalForm,
  kPrepend,  // `content` goes before a text that is not empty
  kReplace,  // `content` for each match
  kLowercase,
  kStrip,         // white space at the ends
  kStripAccents,  // combining marks
  kNmt,           // control characters go, odd spaces become " " (Moses, as in T5's ancestors)
  kByteLevel,     // each byte becomes its symbol of byte_level.h
  kBertClean,     // control characters go, white space becomes " "
  kBertChinese,   // spaces around ideographs
  kBertAccents    // normal form D, less nonspacing marks
};

struct NormalizerStep {
  NormalizerKind kind = NormalizerKind::kNormalForm;
  NormalForm form = NormalForm::kC;
  std::string content;
  std::optional<SplitPattern> pattern;
  bool left = false, right = false;  // the ends that kStrip strips
};

// A text on its way, valid UTF-8. Its first `from_start` bytes stem from the first character of the
// whole input, which is what Metaspace means by "first"; 0 where that character is gone or
// elsewhere.
struct NormalizedText {
  std::string text;
  size_t from_start = 0;
};

// Throws RunError when a pattern passes its limits.
void Normalize(const std::vector<NormalizerStep>& steps, NormalizedText* text);
std::string Normalize(const std::vector<NormalizerStep>& steps, std::string_view text);

}  // namespace hone
