// Tokens that are recognised in the text as they stand ("<think>", "<|endoftext|>"), before any
// splitting and merging.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/split_pattern.h"

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
  AddedTokenMatcher() { roots_.fill(-1); }
  // `pattern` is what to look for: the content, or its normal form. False when it is there already.
  bool Add(const AddedToken& token, const std::string& pattern);
  bool empty() const { return tokens_.empty(); }
  // The parts of valid UTF-8, in order; stripped white space belongs to the token's part.
  std::vector<TextPart> Split(std::string_view text) const;

 private:
  struct Node {
    std::vector<std::pair<uint8_t, int32_t>> children;
    int32_t token = -1;  // index into tokens_
  };
  struct Match {
    size_t end;
    int32_t token;  // -1: none
  };
  Match LongestAt(std::string_view text, size_t begin) const;
  bool StandsAlone(std::string_view text, size_t begin, size_t end) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<int32_t, 256> roots_;                // node of a first byte, -1: none
  std::unique_ptr<SplitPattern> word_character_;  // made when a token has single_word
};

}  // namespace hone
