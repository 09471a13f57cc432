#include "policy/text/added_tokens.h"

#include <algorithm>

#include "policy/text/utf8.h"

namespace hone {
namespace {

// Where the white space that ends at `end` begins; looks no further back than `floor`.
size_t SpaceBefore(std::string_view text, size_t end, size_t floor) {
  size_t begin = end;
  while (begin > floor) {
    size_t start = begin - 1;
    while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
    size_t at = start;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    begin = start;
  }
  return begin;
}

size_t SpaceAfter(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t at = begin;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    begin = at;
  }
  return begin;
}

}  // namespace

bool AddedTokenMatcher::Add(const AddedToken& token, const std::string& pattern) {
  int32_t* link = &roots_[static_cast<uint8_t>(pattern[0])];
  int32_t node = -1;
  for (size_t i = 0;;) {
    if (*link < 0) {
      *link = static_cast<int32_t>(nodes_.size());
      nodes_.emplace_back();  // moves what `link` points into: not used after
      node = static_cast<int32_t>(nodes_.size()) - 1;
    } else {
      node = *link;
    }
    if (++i == pattern.size()) break;
    const auto byte = static_cast<uint8_t>(pattern[i]);
    auto& children = nodes_[static_cast<size_t>(node)].children;
    auto child =
        std::lower_bound(children.begin(), children.end(), std::pair<uint8_t, int32_t>(byte, -1));
    if (child == children.end() || child->first != byte) child = children.insert(child, {byte, -1});
    link = &child->second;
  }
  if (nodes_[static_cast<size_t>(node)].token >= 0) return false;
  nodes_[static_cast<size_t>(node)].token = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
  if (token.single_word && word_character_ == nullptr) {
    // The characters of a word as Rust's regex crate has them, which differ a little from
    // Oniguruma's.
    word_character_ = std::make_unique<SplitPattern>(
        R"((?![\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}])[\w\x{200C}\x{200D}])");
  }
  return true;
}

AddedTokenMatcher::Match AddedTokenMatcher::LongestAt(std::string_view text, size_t begin) const {
  Match best{begin, -1};
  int32_t node = roots_[static_cast<uint8_t>(text[begin])];
  for (size_t at = begin + 1; node >= 0; ++at) {
    const Node& here = nodes_[static_cast<size_t>(node)];
    if (here.token >= 0) best = {at, here.token};
    if (at == text.size()) break;
    const auto byte = static_cast<uint8_t>(text[at]);
    const auto child = std::lower_bound(here.children.begin(), here.children.end(),
                                        std::pair<uint8_t, int32_t>(byte, -1));
    node = child != here.children.end() && child->first == byte ? child->second : -1;
  }
  return best;
}

bool AddedTokenMatcher::StandsAlone(std::string_view text, size_t begin, size_t end) const {
  const auto is_word = [&](size_t first, size_t last) {
    return !word_character_->FindMatches(text.substr(first, last - first)).empty();
  };
  if (begin > 0) {
    size_t before = begin - 1;
    while (before > 0 && (static_cast<uint8_t>(text[before]) & 0xC0) == 0x80) --before;
    if (is_word(before, begin)) return false;
  }
  if (end < text.size()) {
    size_t after = end;
    NextCodePoint(text, &after);
    if (is_word(end, after)) return false;
  }
  return true;
}

std::vector<TextPart> AddedTokenMatcher::Split(std::string_view text) const {
  std::vector<TextPart> parts;
  size_t done = 0;       // parts cover the text up to here
  size_t space_end = 0;  // end of the white space swallowed last
  for (size_t at = 0; at < text.size() && !tokens_.empty();) {
    const Match match = LongestAt(text, at);
    if (match.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(match.token)];
    size_t begin = at, end = match.end;
    at = match.end;
    if (token.single_word && !StandsAlone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(SpaceBefore(text, begin, done), done);
    // A match within white space that is known already need not walk it again.
    if (token.rstrip) end = space_end = end < space_end ? space_end : SpaceAfter(text, end);
    if (done < begin) parts.push_back({done, begin, -1});
    // A token that lies in white space which the one before it swallowed is gone.
    if (begin < end) parts.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace hone
