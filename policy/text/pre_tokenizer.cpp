#include "policy/text/pre_tokenizer.h"

#include <algorithm>

#include "policy/text/unicode_classes.h"
#include "policy/text/utf8.h"

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
  const auto add = [&](size_t begin, size_t end) {
    if (done != begin) parts.push_back({done, begin, step.invert});
    parts.push_back({begin, end, !step.invert});
    done = end;
  };
  if (step.pattern) {
    for (const auto& [begin, end] : step.pattern->FindMatches(text)) add(begin, end);
  } else {
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      if (IsIn(NextCodePoint(text, &at), step.classes)) add(begin, at);
    }
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

std::string WithSpacesReplaced(std::string_view text, std::string_view replacement) {
  std::string replaced;
  replaced.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      replaced += replacement;
    } else {
      replaced += c;
    }
  }
  return replaced;
}

// The piece as Metaspace rewrites it.
Piece ReplaceSpaces(const PreTokenizerStep& step, const Piece& piece,
                    std::deque<std::string>* copies) {
  std::string text = WithSpacesReplaced(piece.text, step.replacement);
  const auto start = piece.text.substr(0, piece.from_start);
  size_t from_start = WithSpacesReplaced(start, step.replacement).size();
  const bool prepends = step.prepend == PrependScheme::kAlways ||
                        (step.prepend == PrependScheme::kFirst && from_start > 0);
  if (prepends && !text.starts_with(step.replacement)) {
    text.insert(0, step.replacement);
    if (from_start > 0) from_start += step.replacement.size();
  }
  copies->push_back(std::move(text));
  return {copies->back(), from_start};
}

Piece PrefixSpace(const Piece& piece, std::deque<std::string>* copies) {
  copies->push_back(" " + std::string(piece.text));
  return {copies->back(), piece.from_start > 0 ? piece.from_start + 1 : 0};
}

void CutPiece(const PreTokenizerStep& step, const Piece& piece, std::vector<Piece>* out) {
  const auto add = [&](size_t begin, size_t end) {
    const size_t from_start = piece.from_start - std::min(piece.from_start, begin);
    out->push_back({piece.text.substr(begin, end - begin), std::min(from_start, end - begin)});
  };
  if (step.scanner) {
    for (size_t begin = 0; begin < piece.text.size();) {
      const size_t end = step.scanner->WordEnd(piece.text, begin);
      add(begin, end);
      begin = end;
    }
    return;
  }
  for (const Part& part : Cut(step, piece.text)) {
    if (part.begin < part.end) add(part.begin, part.end);
  }
}

}  // namespace

Pieces PreTokenize(const std::vector<PreTokenizerStep>& steps, Piece text) {
  Pieces pieces;
  if (!text.text.empty()) pieces.list.push_back(text);
  for (const PreTokenizerStep& step : steps) {
    std::vector<Piece> next;
    for (Piece piece : pieces.list) {
      if (step.add_prefix_space && !piece.text.starts_with(' ')) {
        piece = PrefixSpace(piece, &pieces.copies);
      }
      if (!step.replacement.empty()) piece = ReplaceSpaces(step, piece, &pieces.copies);
      if (step.scanner || step.pattern || step.classes != 0) {
        CutPiece(step, piece, &next);
      } else {
        next.push_back(piece);
      }
    }
    pieces.list = std::move(next);
  }
  return pieces;
}

}  // namespace hone
