// The likeliest pieces of a word: Kudo, "Subword Regularization: Improving Neural Network
// Translation Models with Multiple Subword Candidates" (ACL 2018), section 3.2; the best path
// alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "policy/text/byte_trie.h"
#include "policy/text/models/model.h"
#include "policy/text/models/word_cache.h"

namespace hone {

struct UnigramSettings {
  int32_t unknown_id = -1;     // for what no piece covers; -1: such text is an error
  bool byte_fallback = false;  // what no piece covers becomes its bytes' "<0x41>"
  bool byte_level = false;     // words come as bytes, whose symbols the pieces are written in
};

class Unigram final : public TokenModel {
 public:
  // A piece's id is its place; no piece is there twice. The vocabulary must outlive this.
  Unigram(const Vocabulary& vocabulary, const std::vector<std::pair<std::string, double>>& pieces,
          UnigramSettings settings);
  void Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const override;

 private:
  // The best way to a place in the word: the last piece of it and where that begins.
  struct Best {
    double score = 0;
    int64_t begin = -1;  // -1: no way yet
    int32_t id = 0;
  };
  struct Scratch {
    WordCache cache;
    std::vector<Best> best;  // by place
    std::vector<std::pair<size_t, size_t>> parts;
    std::vector<int32_t> ids;
  };
  void EncodeWord(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const;
  void FindBest(std::string_view word, std::vector<Best>* best) const;
  void AppendPart(const std::string& part, std::vector<int32_t>* ids) const;

  const Vocabulary& vocabulary_;
  UnigramSettings settings_;
  ByteTrie pieces_;  // to places in scores_
  std::vector<double> scores_;
  double unknown_score_;
  std::vector<int32_t> fallback_ids_;
  mutable ScratchPool<Scratch> scratch_;
};

}  // namespace hone
