// Byte-pair encoding as tokenizer.json has it: over bytes (GPT-2) or over characters, with bytes
// for those that the vocabulary lacks (SentencePiece).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/models/bpe_merges.h"
#include "policy/text/models/model.h"
#include "policy/text/models/word_cache.h"

namespace hone {

struct BpeSettings {
  bool byte_level = false;     // words come as bytes, whose symbols the vocabulary is written in
  bool ignore_merges = false;  // a word that is itself a token is taken whole
  bool byte_fallback = false;  // a character without a token becomes its bytes' "<0x41>"
  std::optional<std::string> unknown;  // for what else has no token; without it, that is dropped
  bool fuse_unknown = false;           // a run of it gives one `unknown`
  std::string prefix;                  // of every symbol but a word's first
  std::string suffix;                  // of a word's last symbol
};

struct BpeMerge {
  int32_t left, right, merged;
};

class Bpe final : public TokenModel {
 public:
  // `merges` in order of rank. The vocabulary must outlive this.
  Bpe(const Vocabulary& vocabulary, std::span<const BpeMerge> merges, BpeSettings settings);
  void Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const override;

 private:
  struct Scratch {
    WordCache cache;
    MergeScratch merge;
    std::vector<int32_t> symbols;
  };
  void FindJoints(std::span<const BpeMerge> merges);
  void EncodeWord(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const;
  void EncodeSegment(std::string_view segment, Scratch* scratch, std::vector<int32_t>* ids) const;
  size_t SegmentEnd(std::string_view word, size_t begin) const;
  void BytesToSymbols(std::string_view word, std::vector<int32_t>* symbols) const;
  void CharactersToSymbols(std::string_view word, std::vector<int32_t>* symbols) const;
  int32_t NextSymbol(std::string_view word, size_t* at) const;
  bool AppendFallback(std::string_view character, std::vector<int32_t>* symbols) const;
  int32_t UnknownId() const;

  const Vocabulary& vocabulary_;
  BpeSettings settings_;
  bool bytes_;  // words are read byte by byte
  BpeMerges merges_;
  PairMap<bool> joints_;  // pairs of first symbols that stand side by side within a token
  std::array<int32_t, 256> byte_ids_;
  std::vector<int32_t> character_ids_;  // by code point; -1, or the end: none
  std::vector<int32_t> fallback_ids_;
  Vocabulary word_ids_;  // by bytes; filled for ignore_merges over bytes
  mutable ScratchPool<Scratch> scratch_;
};

}  // namespace hone
