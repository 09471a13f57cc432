#include "policy/text/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "common/error.h"
#include "common/json.h"
#include "policy/text/byte_level.h"
#include "policy/text/models/pair_map.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

using Pair = std::pair<int32_t, int32_t>;

struct Word {
  std::vector<int32_t> symbols;
  int64_t count;
};

// A pair, how often it stood when it was queued, and the words it stood in.
struct Candidate {
  int64_t count;
  Pair pair;
  std::vector<int32_t> places;
};

// For std's heaps, whose first element is the largest: most frequent first, of those the pair of
// lower ids.
bool MergesLater(const Candidate& a, const Candidate& b) {
  return a.count != b.count ? a.count < b.count : a.pair > b.pair;
}

// Special tokens, then the bytes' symbols in order of code points, then what merges make.
class GrowingVocabulary {
 public:
  explicit GrowingVocabulary(const std::vector<std::string>& special_tokens) {
    for (const std::string& token : special_tokens) IdOf(token);
    std::vector<std::pair<char32_t, size_t>> symbols;
    for (size_t byte = 0; byte < 256; ++byte) {
      symbols.emplace_back(SymbolOfByte(static_cast<uint8_t>(byte)), byte);
    }
    std::sort(symbols.begin(), symbols.end());
    for (const auto& [symbol, byte] : symbols) {
      std::string piece;
      AppendUtf8(symbol, &piece);
      byte_ids_[byte] = IdOf(piece);
    }
  }

  // The id of a piece, a new one where it has none.
  int32_t IdOf(const std::string& piece) {
    const auto [at, is_new] = ids_.emplace(piece, static_cast<int32_t>(pieces_.size()));
    if (is_new) pieces_.push_back(piece);
    return at->second;
  }
  int32_t OfByte(char byte) const { return byte_ids_[static_cast<uint8_t>(byte)]; }
  const std::vector<std::string>& pieces() const { return pieces_; }
  int32_t size() const { return static_cast<int32_t>(pieces_.size()); }

 private:
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<std::string> pieces_;  // by id
  std::array<int32_t, 256> byte_ids_{};
};

class Learner {
 public:
  Learner(const std::unordered_map<std::string, int64_t>& words, GrowingVocabulary* vocabulary)
      : vocabulary_(vocabulary) {
    for (const auto& [bytes, count] : words) {
      Word& word = words_.emplace_back();
      word.count = count;
      for (const char byte : bytes) word.symbols.push_back(vocabulary->OfByte(byte));
    }
    for (size_t i = 0; i < words_.size(); ++i) {
      const auto& [symbols, count] = words_[i];
      for (size_t s = 0; s + 1 < symbols.size(); ++s) {
        Change(symbols[s], symbols[s + 1], count, static_cast<int32_t>(i));
      }
    }
    QueueNewPairs();
  }

  // The pairs to merge, in order, until the vocabulary has `size` tokens or no pair is as frequent.
  std::vector<Pair> Run(int32_t size, int64_t min_frequency) {
    std::vector<Pair> merges;
    while (vocabulary_->size() < size && !queue_.empty()) {
      Candidate top = Pop();
      const int64_t now = *counts_.Get(top.pair.first, top.pair.second);
      if (top.count != now) {  // it changed while it waited
        top.count = now;
        Push(std::move(top));
        continue;
      }
      if (top.count < std::max<int64_t>(1, min_frequency)) break;
      const auto& pieces = vocabulary_->pieces();
      const int32_t merged = vocabulary_->IdOf(pieces[static_cast<size_t>(top.pair.first)] +
                                               pieces[static_cast<size_t>(top.pair.second)]);
      merges.push_back(top.pair);
      for (const int32_t place : top.places) MergeWithin(place, top.pair, merged);
      QueueNewPairs();
    }
    return merges;
  }

 private:
  struct NewPair {
    Pair pair;
    std::vector<int32_t> places;
  };

  // A pair that comes is queued with its words at QueueNewPairs, one that goes is only counted.
  void Change(int32_t left, int32_t right, int64_t change, int32_t place) {
    *counts_.FindOrAdd(left, right) += change;
    if (change <= 0) return;
    int32_t* index = new_index_.FindOrAdd(left, right);
    if (*index == 0) {
      new_pairs_.push_back({{left, right}, {}});
      *index = static_cast<int32_t>(new_pairs_.size());
    }
    std::vector<int32_t>& places = new_pairs_[static_cast<size_t>(*index - 1)].places;
    if (places.empty() || places.back() != place) places.push_back(place);
  }

  // The merged pair itself keeps its count, as in Hugging Face's trainer.
  void MergeWithin(int32_t place, const Pair& pair, int32_t merged) {
    Word& word = words_[static_cast<size_t>(place)];
    std::vector<int32_t>& symbols = word.symbols;
    size_t out = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      const bool found =
          i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
      if (!found) {
        symbols[out++] = symbols[i];
        continue;
      }
      if (out > 0) {
        Change(symbols[out - 1], pair.first, -word.count, place);
        Change(symbols[out - 1], merged, word.count, place);
      }
      if (i + 2 < symbols.size()) {
        Change(pair.second, symbols[i + 2], -word.count, place);
        Change(merged, symbols[i + 2], word.count, place);
      }
      symbols[out++] = merged;
      ++i;
    }
    symbols.resize(out);
  }

  void QueueNewPairs() {
    for (NewPair& found : new_pairs_) {
      const int64_t count = *counts_.Get(found.pair.first, found.pair.second);
      if (count > 0) Push({count, found.pair, std::move(found.places)});
    }
    new_pairs_.clear();
    new_index_ = {};
  }

  void Push(Candidate candidate) {
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end(), MergesLater);
  }
  Candidate Pop() {
    std::pop_heap(queue_.begin(), queue_.end(), MergesLater);
    Candidate top = std::move(queue_.back());
    queue_.pop_back();
    return top;
  }

  GrowingVocabulary* vocabulary_;
  std::vector<Word> words_;
  PairMap<int64_t> counts_;
  std::vector<NewPair> new_pairs_;
  PairMap<int32_t> new_index_;  // place in new_pairs_, plus one
  std::vector<Candidate> queue_;
};

// The pair that comes twice (another pair made its token in between) counts by its later place, as
// Hugging Face keeps it.
std::vector<Pair> KeepLast(const std::vector<Pair>& merges) {
  PairMap<int32_t> last;
  for (size_t i = 0; i < merges.size(); ++i) {
    *last.FindOrAdd(merges[i].first, merges[i].second) = static_cast<int32_t>(i);
  }
  std::vector<Pair> kept;
  for (size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    if (*last.Get(left, right) == static_cast<int32_t>(i)) kept.push_back(merges[i]);
  }
  return kept;
}

std::string_view PatternOf(TrainedPattern pattern) {
  switch (pattern) {
    case TrainedPattern::kGpt2:
      return kGpt2Pattern;
    case TrainedPattern::kQwen2:
      return kQwen2Pattern;
    case TrainedPattern::kLlama3:
      return kLlama3Pattern;
  }
  return "";
}

OrderedJson ByteLevel(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

OrderedJson PreTokenizerJson(TrainedPattern pattern) {
  if (pattern == TrainedPattern::kGpt2) return ByteLevel(true);
  OrderedJson split = {{"type", "Split"}};
  split["pattern"]["Regex"] = PatternOf(pattern);
  split["behavior"] = "Isolated";
  split["invert"] = false;
  OrderedJson sequence = {{"type", "Sequence"}};
  sequence["pretokenizers"] = OrderedJson::array({split, ByteLevel(false)});
  return sequence;
}

OrderedJson AddedTokensJson(const std::vector<std::string>& special_tokens,
                            GrowingVocabulary* vocabulary) {
  OrderedJson list = OrderedJson::array();
  for (const std::string& token : special_tokens) {
    list.push_back({{"id", vocabulary->IdOf(token)},
                    {"content", token},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", true}});
  }
  return list;
}

OrderedJson ModelJson(const GrowingVocabulary& vocabulary, const std::vector<Pair>& merges) {
  OrderedJson model = {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false}};
  // Appended, since ordered_json looks at all keys before it adds one.
  OrderedJson vocab = OrderedJson::object();
  OrderedJson::object_t::Container& entries = vocab.get_ref<OrderedJson::object_t&>();
  const auto& pieces = vocabulary.pieces();
  for (size_t id = 0; id < pieces.size(); ++id) {
    entries.emplace_back(pieces[id], id);
  }
  model["vocab"] = std::move(vocab);
  OrderedJson list = OrderedJson::array();
  for (const auto& [left, right] : merges) {
    list.push_back(OrderedJson::array(
        {pieces[static_cast<size_t>(left)], pieces[static_cast<size_t>(right)]}));
  }
  model["merges"] = std::move(list);
  return model;
}

}  // namespace

BpeTrainer::BpeTrainer(BpeTraining training) : training_(std::move(training)) {
  const auto least = static_cast<int64_t>(256 + training_.special_tokens.size());
  if (training_.vocab_size < least) {
    throw UsageError(
        fmt::format("vocab_size {}: expected at least {}, for 256 bytes and {} special "
                    "tokens",
                    training_.vocab_size, least, training_.special_tokens.size()));
  }
  if (training_.pattern == TrainedPattern::kQwen2) normalizer_.emplace_back();
  pre_tokenizer_.emplace_back().scanner = WordScanner::For(PatternOf(training_.pattern));
}

void BpeTrainer::Add(std::string_view text) {
  const std::string normal = Normalize(normalizer_, ReplaceInvalidUtf8(text));
  const Pieces pieces = PreTokenize(pre_tokenizer_, {normal, 0});
  for (const Piece& piece : pieces.list) ++words_[std::string(piece.text)];
}

std::string BpeTrainer::Train() const {
  GrowingVocabulary vocabulary(training_.special_tokens);
  const auto merges =
      Learner(words_, &vocabulary).Run(training_.vocab_size, training_.min_frequency);
  OrderedJson json = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  json["added_tokens"] = AddedTokensJson(training_.special_tokens, &vocabulary);
  json["normalizer"] = nullptr;
  if (!normalizer_.empty()) json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] = PreTokenizerJson(training_.pattern);
  json["post_processor"] = nullptr;
  json["decoder"] = ByteLevel(true);
  json["decoder"]["add_prefix_space"] = true;
  json["model"] = ModelJson(vocabulary, KeepLast(merges));
  return json.dump(2) + "\n";
}

}  // namespace hone
