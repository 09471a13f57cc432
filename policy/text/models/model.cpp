#include "policy/text/models/model.h"

#include <fmt/format.h>

#include "policy/text/byte_level.h"

namespace hone {

int32_t IdOrNone(const Vocabulary& vocabulary, const std::string& piece) {
  const auto found = vocabulary.find(piece);
  return found == vocabulary.end() ? -1 : found->second;
}

std::vector<int32_t> FallbackIds(const Vocabulary& vocabulary) {
  std::vector<int32_t> ids(256);
  for (size_t byte = 0; byte < ids.size(); ++byte) {
    ids[byte] = IdOrNone(vocabulary, fmt::format("<0x{:02X}>", byte));
  }
  return ids;
}

Pieces InSymbols(std::span<const Piece> words) {
  Pieces pieces;
  for (const Piece& word : words) {
    std::string symbols;
    AppendSymbols(word.text, &symbols);
    pieces.copies.push_back(std::move(symbols));
    pieces.list.push_back({pieces.copies.back(), 0});
  }
  return pieces;
}

}  // namespace hone
