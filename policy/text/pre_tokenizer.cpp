#include "policy/text/pre_tokenizer.h"

#include <algorithm>

namespace hone {
namespace {

struct Part {
  size_t begin, end;
  bool match;
};

// The whole text as parts that match or do not.
std::vector<Part> Parts(const PreTokenizerStep& step, std::string_view text) {
  std::vector<Part> parts;
  size_t done = 0;
  for (const auto& [begin, end] : step.pattern->FindMatches(text)) {
    if (done != begin) parts.push_back({done, begin, step.invert});
    parts.push_back({begin, end, !step.invert});
    done = end;
  }
  if (done != text.size()) parts.push_back({done, text.size(), step.invert});
  return parts;
}

// Appends matches to their neighbour in the order of walking: backwards for kMergedWithNext.
std::vector<Part> Merge(std::vector<Part> parts, SplitBehavior behavior) {
  const bool backwards = behavior == SplitBehavior::kMergedWithNext;
  if (backwards) std::reverse(parts.begin(), parts.end());
  std::vector<Part> merged;
  bool previous = false;
  for (const Part& part : parts) {
    const bool joins =
        behavior == SplitBehavior::kContiguous ? part.match == previous : part.match && !previous;
    previous = part.match;
    if (joins && !merged.empty()) {
      merged.back().begin = std::min(merged.back().begin, part.begin);
      merged.back().end = std::max(merged.back().end, part.end);
    } else {
      merged.push_back(part);
    }
  }
  if (backwards) std::reverse(merged.begin(), merged.end());
  return merged;
}

std::vector<Part> Cut(const PreTokenizerStep& step, std::string_view text) {
  std::vector<Part> parts = Parts(step, text);
  if (step.behavior == SplitBehavior::kIsolated) return parts;
  if (step.behavior == SplitBehavior::kRemoved) {
    std::erase_if(parts, [](const Part& part) { return part.match; });
    return parts;
  }
  return Merge(std::move(parts), step.behavior);
}

}  // namespace

std::vector<std::string> PreTokenize(const std::vector<PreTokenizerStep>& steps,
                                     std::string_view text) {
  std::vector<std::string> pieces;
  if (!text.empty()) pieces.emplace_back(text);
  for (const PreTokenizerStep& step : steps) {
    std::vector<std::string> next;
    for (std::string& piece : pieces) {
      if (step.add_prefix_space && piece.front() != ' ') piece.insert(0, 1, ' ');
      if (!step.pattern) {
        next.push_back(std::move(piece));
        continue;
      }
      for (const Part& part : Cut(step, piece)) {
        if (part.begin < part.end) next.push_back(piece.substr(part.begin, part.end - part.begin));
      }
    }
    pieces = std::move(next);
  }
  return pieces;
}

}  // namespace hone
