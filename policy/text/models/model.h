// What turns words into tokens: tokenizer.json's "model".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/text/pre_tokenizer.h"

namespace hone {

using Vocabulary = std::unordered_map<std::string, int32_t>;

// Thread contract: immutable; Encode is safe from any thread.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of words, each by itself. Throws RunError for a character that the vocabulary
  // lacks where the model has no token for it.
  virtual void Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const = 0;
};

// The id of a token that stands for what the vocabulary lacks; -1 where it is not there itself.
int32_t IdOrNone(const Vocabulary& vocabulary, const std::string& piece);

// The ids of the tokens "<0x00>" to "<0xFF>", -1 where there is none.
std::vector<int32_t> FallbackIds(const Vocabulary& vocabulary);

// The words with each byte as its symbol of byte_level.h.
Pieces InSymbols(std::span<const Piece> words);

}  // namespace hone
