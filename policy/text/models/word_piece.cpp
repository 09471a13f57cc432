#include "policy/text/models/word_piece.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/error.h"

namespace hone {

WordPiece::WordPiece(const Vocabulary& vocabulary, WordPieceSettings settings)
    : settings_(std::move(settings)), unknown_id_(IdOrNone(vocabulary, settings_.unknown)) {
  for (const auto& [piece, id] : vocabulary) {
    if (!piece.empty()) first_.Add(piece, id);
    if (piece.size() > settings_.prefix.size() && piece.starts_with(settings_.prefix)) {
      later_.Add(std::string_view(piece).substr(settings_.prefix.size()), id);
    }
  }
}

void WordPiece::Encode(std::span<const Piece> words, std::vector<int32_t>* ids) const {
  Pieces symbols;
  if (settings_.byte_level) {
    symbols = InSymbols(words);
    words = symbols.list;
  }
  for (const Piece& word : words) EncodeWord(word.text, ids);
}

void WordPiece::EncodeWord(std::string_view word, std::vector<int32_t>* ids) const {
  const auto characters = std::count_if(word.begin(), word.end(), [](char byte) {
    return (static_cast<uint8_t>(byte) & 0xC0) != 0x80;
  });
  if (static_cast<size_t>(characters) > settings_.most_characters)
    return ids->push_back(UnknownId());
  const size_t before = ids->size();
  for (size_t begin = 0; begin < word.size();) {
    size_t longest = begin;
    int32_t piece = -1;
    (begin == 0 ? first_ : later_).ForEachAt(word, begin, [&](size_t end, int32_t id) {
      longest = end;
      piece = id;
    });
    if (piece < 0) {
      ids->resize(before);
      return ids->push_back(UnknownId());
    }
    ids->push_back(piece);
    begin = longest;
  }
}

int32_t WordPiece::UnknownId() const {
  if (unknown_id_ < 0) {
    throw RunError(
        fmt::format("the text holds a word that the tokenizer has no tokens for, and its "
                    "unk_token {} is not in its vocabulary",
                    settings_.unknown));
  }
  return unknown_id_;
}

}  // namespace hone
