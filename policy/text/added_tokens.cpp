#include "policy/text/added_tokens.h"

#include <algorithm>

#include "policy/text/unicode_classes.h"
#include "policy/text/utf8.h"

namespace hone {

bool AddedTokenMatcher::Add(const AddedToken& token, const std::string& pattern) {
  if (!patterns_.Add(pattern, static_cast<int32_t>(tokens_.size()))) return false;
  tokens_.push_back(token);
  return true;
}

bool AddedTokenMatcher::StandsAlone(std::string_view text, size_t begin, size_t end) {
  if (begin > 0) {
    size_t before = begin - 1;
    while (before > 0 && (static_cast<uint8_t>(text[before]) & 0xC0) == 0x80) --before;
    if (IsIn(NextCodePoint(text, &before), kWordCharacter)) return false;
  }
  return end == text.size() || !IsIn(NextCodePoint(text, &end), kWordCharacter);
}

std::vector<TextPart> AddedTokenMatcher::Split(std::string_view text) const {
  std::vector<TextPart> parts;
  size_t done = 0;       // parts cover the text up to here
  size_t space_end = 0;  // end of the white space swallowed last
  for (size_t at = 0; at < text.size() && !tokens_.empty();) {
    if (!patterns_.MayBeginWith(static_cast<uint8_t>(text[at]))) {
      ++at;
      continue;
    }
    size_t begin = at, end = at;
    int32_t longest = -1;
    patterns_.ForEachAt(text, at, [&](size_t to, int32_t token) {
      end = to;
      longest = token;
    });
    if (longest < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(longest)];
    at = end;
    if (token.single_word && !StandsAlone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(WhiteSpaceBefore(text, begin, done), done);
    // A match within white space that is known already need not walk it again.
    if (token.rstrip) end = space_end = end < space_end ? space_end : WhiteSpaceAfter(text, end);
    if (done < begin) parts.push_back({done, begin, -1});
    // A token that lies in white space which the one before it swallowed is gone.
    if (begin < end) parts.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace hone
