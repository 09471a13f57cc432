#include "policy/text/models/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "common/error.h"
#include "policy/text/byte_level.h"
#include "policy/text/utf8.h"

namespace hone {
namespace {

// Words up to this many bytes are looked up whole; longer ones are cut where no merge reaches.
constexpr size_t kShortWord = 16;

size_t CharacterSize(std::string_view text, size_t at) {
  size_t end = at;
  NextCodePoint(text, &end);
  return end - at;
}

std::string_view FirstCharacter(std::string_view piece) {
  return piece.substr(0, CharacterSize(piece, 0));
}

std::string_view LastCharacter(std::string_view piece) {
  size_t begin = piece.size() - 1;
  while (begin > 0 && (static_cast<uint8_t>(piece[begin]) & 0xC0) == 0x80) --begin;
  return piece.substr(begin);
}

}  // namespace

Bpe::Bpe(const Vocabulary& vocabulary, std::span<const BpeMerge> merges, BpeSettings settings)
    : vocabulary_(vocabulary),
      settings_(std::move(settings)),
      bytes_(settings_.byte_level && !settings_.byte_fallback && settings_.prefix.empty() &&
             settings_.suffix.empty()) {
  byte_ids_.fill(-1);
  for (const auto& [piece, id] : vocabulary_) {
    if (piece.empty()) continue;
    size_t at = 0;
    const char32_t code = NextCodePoint(piece, &at);
    if (at == piece.size()) {
      if (code >= character_ids_.size()) character_ids_.resize(code + 1, -1);
      character_ids_[code] = id;
      if (const int byte = ByteOfSymbol(code); byte >= 0) byte_ids_[static_cast<size_t>(byte)] = id;
    }
    if (!bytes_ || !settings_.ignore_merges) continue;
    if (auto bytes = BytesOfSymbols(piece)) word_ids_.emplace(std::move(*bytes), id);
  }
  fallback_ids_ = FallbackIds(vocabulary_);
  merges_.Reserve(merges.size());
  int32_t rank = 0;
  for (const BpeMerge& merge : merges) merges_.Add(merge.left, merge.right, rank++, merge.merged);
  FindJoints(merges);
}

// Two characters between which no merge ever reaches part a word into segments that merge as if
// each were alone. A merge reaches between the last character of its left side and the first of its
// right.
void Bpe::FindJoints(std::span<const BpeMerge> merges) {
  std::unordered_map<int32_t, std::pair<int32_t, int32_t>> ends;  // by id: first and last symbol
  for (const auto& [piece, id] : vocabulary_) {
    if (piece.empty()) continue;
    ends[id] = {IdOrNone(vocabulary_, std::string(FirstCharacter(piece))),
                IdOrNone(vocabulary_, std::string(LastCharacter(piece)))};
  }
  for (const BpeMerge& merge : merges) {
    const auto left = ends.find(merge.left), right = ends.find(merge.right);
    if (left == ends.end() || right == ends.end()) continue;
    const int32_t last = left->second.second, first = right->second.first;
    if (last >= 0 && first >= 0) joints_.Set(last, first, true);
  }
}

void Bpe::Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const {
  Pieces symbols;
  if (settings_.byte_level && !bytes_) {
    symbols = InSymbols(words);
    words = symbols.list;
  }
  std::unique_ptr<Scratch> scratch = scratch_.Take();
  for (const Piece& word : words) EncodeWord(word.text, scratch.get(), ids);
  scratch_.GiveBack(std::move(scratch));
}

void Bpe::EncodeWord(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const {
  if (settings_.ignore_merges) {
    const Vocabulary& whole = bytes_ ? word_ids_ : vocabulary_;
    if (const auto found = whole.find(std::string(word)); found != whole.end()) {
      ids->push_back(found->second);
      return;
    }
  }
  const bool affixes = !settings_.prefix.empty() || !settings_.suffix.empty();
  if (affixes || word.size() <= kShortWord) return EncodeSegment(word, scratch, ids);
  for (size_t begin = 0; begin < word.size();) {
    const size_t end = SegmentEnd(word, begin);
    EncodeSegment(word.substr(begin, end - begin), scratch, ids);
    begin = end;
  }
}

// What has no symbol of its own stays with its neighbours: there `unknown` may fuse.
size_t Bpe::SegmentEnd(std::string_view word, size_t begin) const {
  size_t at = begin;
  int32_t left = NextSymbol(word, &at);
  while (at < word.size()) {
    const size_t middle = at;
    const int32_t right = NextSymbol(word, &at);
    if (left >= 0 && right >= 0 && joints_.Get(left, right) == nullptr) return middle;
    left = right;
  }
  return word.size();
}

int32_t Bpe::NextSymbol(std::string_view word, size_t* at) const {
  if (bytes_) return byte_ids_[static_cast<uint8_t>(word[(*at)++])];
  const char32_t code = NextCodePoint(word, at);
  return code < character_ids_.size() ? character_ids_[code] : -1;
}

void Bpe::EncodeSegment(std::string_view segment, Scratch* scratch,
                        std::vector<int32_t>* ids) const {
  if (scratch->cache.Find(segment, ids)) return;
  std::vector<int32_t>& symbols = scratch->symbols;
  symbols.clear();
  if (bytes_) {
    BytesToSymbols(segment, &symbols);
  } else {
    CharactersToSymbols(segment, &symbols);
  }
  merges_.Apply(&scratch->merge, &symbols);
  scratch->cache.Keep(segment, symbols);
  ids->insert(ids->end(), symbols.begin(), symbols.end());
}

void Bpe::BytesToSymbols(std::string_view word, std::vector<int32_t>* symbols) const {
  bool unknown_open = false;  // the last symbol is `unknown`
  for (const char c : word) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(c)];
    if (id >= 0) {
      symbols->push_back(id);
      unknown_open = false;
    } else if (settings_.unknown && !(unknown_open && settings_.fuse_unknown)) {
      symbols->push_back(UnknownId());
      unknown_open = true;
    }
  }
}

// An `unknown` waits until a character with a token of its own comes, or the end; fallback bytes
// overtake it. So Hugging Face does.
void Bpe::CharactersToSymbols(std::string_view word, std::vector<int32_t>* symbols) const {
  const bool affixes = !settings_.prefix.empty() || !settings_.suffix.empty();
  bool unknown_waits = false;
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    int32_t id = NextSymbol(word, &at);
    const std::string_view character = word.substr(begin, at - begin);
    std::string symbol(character);
    if (affixes) {
      if (begin > 0) symbol = settings_.prefix + symbol;
      if (at == word.size()) symbol += settings_.suffix;
      id = IdOrNone(vocabulary_, symbol);
    }
    if (id >= 0) {
      if (std::exchange(unknown_waits, false)) symbols->push_back(UnknownId());
      symbols->push_back(id);
    } else if (!(settings_.byte_fallback && AppendFallback(symbol, symbols)) && settings_.unknown) {
      if (unknown_waits && !settings_.fuse_unknown) symbols->push_back(UnknownId());
      unknown_waits = true;
    }
  }
  if (unknown_waits) symbols->push_back(UnknownId());
}

bool Bpe::AppendFallback(std::string_view character, std::vector<int32_t>* symbols) const {
  const auto id = [&](char byte) { return fallback_ids_[static_cast<uint8_t>(byte)]; };
  const bool whole =
      std::all_of(character.begin(), character.end(), [&](char byte) { return id(byte) >= 0; });
  if (!whole) return false;
  for (const char byte : character) symbols->push_back(id(byte));
  return true;
}

int32_t Bpe::UnknownId() const {
  const int32_t id = IdOrNone(vocabulary_, *settings_.unknown);
  if (id < 0) {
    throw RunError(
        fmt::format("the text holds a character that the tokenizer has no token for, and "
                    "its unk_token {} is not in its vocabulary",
                    *settings_.unknown));
  }
  return id;
}

}  // namespace hone
