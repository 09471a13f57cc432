#include "policy/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "common/error.h"
#include "policy/text/byte_level.h"
#include "policy/text/tokenizer_file.h"
#include "policy/text/utf8.h"

namespace hone {

struct Tokenizer::Impl {
  Impl(TokenizerFile parsed, const std::filesystem::path& path);

  // Ids of a text without added tokens.
  void EncodePlain(std::string_view text, std::vector<int32_t>* ids) const;
  void EncodeWord(const std::string& word, std::vector<int32_t>* symbols) const;

  struct Token {
    std::string bytes;  // what it decodes to; empty for an id that no token has
    bool special = false;
  };

  TokenizerFile file;
  AddedTokenMatcher raw;         // tokens looked for in the text as it is
  AddedTokenMatcher normalized;  // tokens looked for after normalisation
  std::vector<Token> tokens;     // by id
  std::unordered_map<std::string, int32_t> added_ids;
  std::array<int32_t, 256> byte_ids;                  // id of a byte's symbol, -1: none
  std::unordered_map<std::string, int32_t> word_ids;  // by bytes; filled for ignore_merges
};

Tokenizer::Impl::Impl(TokenizerFile parsed, const std::filesystem::path& path)
    : file(std::move(parsed)) {
  int32_t largest = -1;
  for (const auto& [piece, id] : file.vocabulary) largest = std::max(largest, id);
  for (const AddedToken& token : file.added_tokens) largest = std::max(largest, token.id);
  tokens.resize(static_cast<size_t>(largest + 1));
  for (const auto& [piece, id] : file.vocabulary) {
    tokens[static_cast<size_t>(id)].bytes = BytesOfToken(piece);
    if (const auto bytes = BytesOfSymbols(piece); file.ignore_merges && bytes) {
      word_ids.emplace(*bytes, id);
    }
  }
  byte_ids.fill(-1);
  for (int byte = 0; byte < 256; ++byte) {
    std::string symbol;
    AppendUtf8(SymbolOfByte(static_cast<uint8_t>(byte)), &symbol);
    const auto found = file.vocabulary.find(symbol);
    if (found != file.vocabulary.end()) byte_ids[static_cast<size_t>(byte)] = found->second;
  }
  std::unordered_set<std::string> special;
  for (const AddedToken& token : file.added_tokens) {
    if (token.special) special.insert(token.content);
  }
  for (const AddedToken& token : file.added_tokens) {
    const bool changes = token.normalized && file.normal_form_c;
    const std::string pattern = changes ? NormalFormC(token.content) : token.content;
    if (!(token.normalized ? normalized : raw).Add(token, pattern)) {
      throw FileError(path.string(), "added_tokens",
                      fmt::format("two tokens have the normal form {}", pattern));
    }
    added_ids.emplace(token.content, token.id);
    tokens[static_cast<size_t>(token.id)] = {BytesOfToken(pattern), special.contains(pattern)};
  }
}

void Tokenizer::Impl::EncodeWord(const std::string& word, std::vector<int32_t>* symbols) const {
  symbols->clear();
  if (file.ignore_merges) {
    if (const auto found = word_ids.find(word); found != word_ids.end()) {
      symbols->push_back(found->second);
      return;
    }
  }
  bool unknown_open = false;  // the last symbol is unknown_id
  for (const char c : word) {
    const int32_t id = byte_ids[static_cast<uint8_t>(c)];
    if (id >= 0) {
      symbols->push_back(id);
      unknown_open = false;
    } else if (file.unknown_id && !(unknown_open && file.fuse_unknown)) {
      symbols->push_back(*file.unknown_id);
      unknown_open = true;
    }
  }
  file.merges.Apply(symbols);
}

void Tokenizer::Impl::EncodePlain(std::string_view text, std::vector<int32_t>* ids) const {
  std::vector<int32_t> symbols;
  for (const std::string& word : PreTokenize(file.pre_tokenizer, text)) {
    EncodeWord(word, &symbols);
    ids->insert(ids->end(), symbols.begin(), symbols.end());
  }
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::Load(const std::filesystem::path& tokenizer_json) {
  auto impl = std::make_unique<Impl>(ReadTokenizerFile(tokenizer_json), tokenizer_json);
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(impl)));
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text) const {
  std::vector<int32_t> ids;
  const std::string valid = ReplaceInvalidUtf8(text);
  for (const TextPart& part : impl_->raw.Split(valid)) {
    if (part.token >= 0) {
      ids.push_back(part.token);
      continue;
    }
    std::string plain = valid.substr(part.begin, part.end - part.begin);
    if (impl_->file.normal_form_c) plain = NormalFormC(plain);
    for (const TextPart& piece : impl_->normalized.Split(plain)) {
      if (piece.token >= 0) {
        ids.push_back(piece.token);
      } else {
        impl_->EncodePlain(std::string_view(plain).substr(piece.begin, piece.end - piece.begin),
                           &ids);
      }
    }
  }
  return ids;
}

std::string Tokenizer::Decode(std::span<const int32_t> tokens, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : tokens) {
    if (id < 0) throw UsageError(fmt::format("the token id {} is negative", id));
    if (skip_special && IsSpecial(id)) continue;
    bytes += Bytes(id);
  }
  return ReplaceInvalidUtf8(bytes);
}

std::string_view Tokenizer::Bytes(int32_t token) const {
  const bool known = token >= 0 && token < vocab_size();
  return known ? std::string_view(impl_->tokens[static_cast<size_t>(token)].bytes)
               : std::string_view();
}

bool Tokenizer::IsSpecial(int32_t token) const {
  return token >= 0 && token < vocab_size() && impl_->tokens[static_cast<size_t>(token)].special;
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->tokens.size()); }

std::optional<int32_t> Tokenizer::TokenId(std::string_view content) const {
  const std::string key(content);
  if (const auto found = impl_->added_ids.find(key); found != impl_->added_ids.end())
    return found->second;
  const auto found = impl_->file.vocabulary.find(key);
  if (found == impl_->file.vocabulary.end()) return std::nullopt;
  return found->second;
}

}  // namespace hone
