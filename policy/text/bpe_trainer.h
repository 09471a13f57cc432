// Learns a byte-level BPE from text, merge for merge as Hugging Face's BpeTrainer does with the
// alphabet of ByteLevel: Sennrich, Haddow, Birch (ACL 2016), section 3.2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/text/normalizer.h"
#include "policy/text/pre_tokenizer.h"

namespace hone {

enum class TrainedPattern { kGpt2, kQwen2, kLlama3 };  // kQwen2 brings normal form C

struct BpeTraining {
  int32_t vocab_size = 0;  // of all: special tokens, the 256 bytes, and merges
  int64_t min_frequency = 0;
  std::vector<std::string> special_tokens = {};  // take the first ids
  TrainedPattern pattern = TrainedPattern::kGpt2;
};

// For one thread.
class BpeTrainer {
 public:
  // Throws UsageError when the vocabulary has no room for bytes and special tokens.
  explicit BpeTrainer(BpeTraining training);

  // Counts the words of a text, which do not reach beyond it. Invalid UTF-8 is replaced by U+FFFD.
  void Add(std::string_view text);
  int64_t distinct_words() const { return static_cast<int64_t>(words_.size()); }

  // The text of a tokenizer.json. Fewer tokens than asked for where the words hold no more pairs.
  std::string Train() const;

 private:
  BpeTraining training_;
  std::vector<NormalizerStep> normalizer_;
  std::vector<PreTokenizerStep> pre_tokenizer_;
  std::unordered_map<std::string, int64_t> words_;  // bytes of a word, how often
};

}  // namespace hone
