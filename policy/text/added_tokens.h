// Tokens that are recognised in the text as they stand ("<think>", "<|endoftext|>"), before any
// splitting and merging.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/byte_trie.h"

namespace hone {

// Flags as in tokenizer.json.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      // left out by Decode(…, skip_special)
  bool lstrip = false;       // swallows white space before it
  bool rstrip = false;       // swallows white space after it
  bool single_word = false;  // does not match next to a word character
  bool normalized = true;    // is looked for in the normalised text
};

// A part of a text: bytes [begin, end), and the added token it is, or -1.
struct TextPart {
  size_t begin, end;
  int32_t token;
};

// Finds added tokens, leftmost first and of those the longest, by a trie over bytes.
// Thread contract: immutable once filled; Split is safe from any thread.
class AddedTokenMatcher {
 public:
  // `pattern` is what to look for: the content, or its normal form; not empty. False when it is
  // there already.
  bool Add(const AddedToken& token, const std::string& pattern);
  // The parts of valid UTF-8, in order; stripped white space belongs to the token's part.
  std::vector<TextPart> Split(std::string_view text) const;

 private:
  static bool StandsAlone(std::string_view text, size_t begin, size_t end);

  std::vector<AddedToken> tokens_;
  ByteTrie patterns_;  // to indices of tokens_
};

}  // namespace hone
