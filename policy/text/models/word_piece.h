// The longest pieces of a word, from its start: Wu et al., "Google's Neural Machine Translation
// System" (2016), section 4.1; the tokenizer of BERT.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "policy/text/byte_trie.h"
#include "policy/text/models/model.h"

namespace hone {

struct WordPieceSettings {
  std::string unknown;           // for a word that pieces do not cover
  std::string prefix;            // of a piece that does not begin a word
  size_t most_characters = 100;  // a longer word is unknown
  bool byte_level = false;       // words come as bytes, whose symbols the pieces are written in
};

class WordPiece final : public TokenModel {
 public:
  WordPiece(const Vocabulary& vocabulary, WordPieceSettings settings);
  void Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const override;

 private:
  void EncodeWord(std::string_view word, std::vector<int32_t>* ids) const;
  int32_t UnknownId() const;

  WordPieceSettings settings_;
  int32_t unknown_id_;      // -1: the vocabulary lacks it
  ByteTrie first_, later_;  // pieces that begin a word, and that go on, without their prefix
};

}  // namespace hone
