#include "policy/text/models/unigram.h"

#include <algorithm>
#include <limits>

#include "common/error.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

constexpr double kUnknownPenalty = 10;  // as in SentencePiece

}  // namespace

Unigram::Unigram(const Vocabulary& vocabulary,
                 const std::vector<std::pair<std::string, double>>& pieces,
                 UnigramSettings settings)
    : vocabulary_(vocabulary), settings_(settings), fallback_ids_(FallbackIds(vocabulary)) {
  double lowest = std::numeric_limits<double>::infinity();
  for (const auto& [piece, score] : pieces) {
    if (!piece.empty()) pieces_.Add(piece, static_cast<int32_t>(scores_.size()));
    scores_.push_back(score);
    lowest = std::min(lowest, score);
  }
  unknown_score_ = lowest - kUnknownPenalty;
}

void Unigram::Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const {
  Pieces symbols;
  if (settings_.byte_level) {
    symbols = InSymbols(words);
    words = symbols.list;
  }
  std::unique_ptr<Scratch> scratch = scratch_.Take();
  for (const Piece& word : words) {
    if (scratch->cache.Find(word.text, ids)) continue;
    scratch->ids.clear();
    EncodeWord(word.text, scratch.get(), &scratch->ids);
    scratch->cache.Keep(word.text, scratch->ids);
    ids->insert(ids->end(), scratch->ids.begin(), scratch->ids.end());
  }
  scratch_.GiveBack(std::move(scratch));
}

// Of two ways equally good, the one found first stays: its last piece begins earlier.
void Unigram::FindBest(std::string_view word, std::vector<Best>* best) const {
  best->assign(word.size() + 1, Best{});
  const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
    Best& there = (*best)[end];
    if (there.begin >= 0 && !(score > there.score)) return;
    there = {score, static_cast<int64_t>(begin), id};
  };
  for (size_t begin = 0; begin < word.size();) {
    const double score = (*best)[begin].score;
    size_t next = begin;
    NextCodePoint(word, &next);
    bool one_character = false;
    pieces_.ForEachAt(word, begin, [&](size_t end, int32_t id) {
      offer(begin, end, scores_[static_cast<size_t>(id)] + score, id);
      one_character |= end == next;
    });
    if (!one_character) {
      const double unknown = unknown_score_ + score;
      const Best& there = (*best)[next];
      if (settings_.unknown_id < 0 && (there.begin < 0 || unknown > there.score)) {
        throw RunError(
            "the text holds a character that the tokenizer has no token for, and it has "
            "no unk_id");
      }
      offer(begin, next, unknown, settings_.unknown_id);
    }
    begin = next;
  }
}

void Unigram::EncodeWord(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const {
  FindBest(word, &scratch->best);
  // From the end; neighbouring unknown parts become one.
  auto& parts = scratch->parts;
  parts.clear();
  bool unknown_open = false;
  for (size_t end = word.size(); end > 0;) {
    const Best& last = scratch->best[end];
    const auto begin = static_cast<size_t>(last.begin);
    const bool unknown = last.id == settings_.unknown_id;
    if (unknown && unknown_open) {
      parts.back().first = begin;
    } else {
      parts.emplace_back(begin, end);
    }
    unknown_open = unknown;
    end = begin;
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    AppendPart(std::string(word.substr(part->first, part->second - part->first)), ids);
  }
}

void Unigram::AppendPart(const std::string& part, std::vector<int32_t>* ids) const {
  if (const int32_t id = IdOrNone(vocabulary_, part); id >= 0) {
    ids->push_back(id);
    return;
  }
  const auto id = [&](char byte) { return fallback_ids_[static_cast<uint8_t>(byte)]; };
  const bool falls_back =
      settings_.byte_fallback &&
      std::all_of(part.begin(), part.end(), [&](char byte) { return id(byte) >= 0; });
  if (!falls_back) {
    ids->push_back(settings_.unknown_id);
    return;
  }
  for (const char byte : part) ids->push_back(id(byte));
}

}  // namespace hone
