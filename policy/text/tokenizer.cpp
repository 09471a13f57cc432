#include "policy/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "common/error.h"
#include "common/file.h"
#include "policy/text/byte_level.h"
#include "policy/text/tokenizer_file.h"
#include "policy/text/utf8.h"

namespace hone {

struct Tokenizer::Impl {
  Impl(TokenizerFile parsed, const std::string& name);

  // Ids of a text without added tokens.
  void EncodePlain(Piece text, std::vector<int32_t>* ids) const;

  struct Token {
    bool known = false;   // an id that a token has
    std::string symbols;  // as the vocabulary writes it; an added token: what is looked for
    std::string bytes;
    bool special = false;
  };

  TokenizerFile file;
  AddedTokenMatcher raw;         // tokens looked for in the text as it is
  AddedTokenMatcher normalized;  // tokens looked for after normalisation
  std::vector<Token> tokens;     // by id
  std::unordered_map<std::string, int32_t> added_ids;
};

Tokenizer::Impl::Impl(TokenizerFile parsed, const std::string& name) : file(std::move(parsed)) {
  int32_t largest = -1;
  for (const auto& [piece, id] : *file.vocabulary) largest = std::max(largest, id);
  for (const AddedToken& token : file.added_tokens) largest = std::max(largest, token.id);
  tokens.resize(static_cast<size_t>(largest + 1));
  const auto set = [&](int32_t id, const std::string& symbols, bool special) {
    tokens[static_cast<size_t>(id)] = {true, symbols, BytesWithin(file.decoder, symbols), special};
  };
  for (const auto& [piece, id] : *file.vocabulary) set(id, piece, false);
  std::unordered_set<std::string> special;
  for (const AddedToken& token : file.added_tokens) {
    if (token.special) special.insert(token.content);
  }
  for (const AddedToken& token : file.added_tokens) {
    const std::string pattern =
        token.normalized ? Normalize(file.normalizer, token.content) : token.content;
    // One that its normal form leaves empty is never found.
    if (!pattern.empty() && !(token.normalized ? normalized : raw).Add(token, pattern)) {
      throw FileError(name, "added_tokens",
                      fmt::format("two tokens have the normal form {}", pattern));
    }
    added_ids.emplace(token.content, token.id);
    set(token.id, pattern, special.contains(pattern));
  }
}

void Tokenizer::Impl::EncodePlain(Piece text, std::vector<int32_t>* ids) const {
  const Pieces words = PreTokenize(file.pre_tokenizer, text);
  file.model->Encode(words.list, ids);
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::Load(const std::filesystem::path& tokenizer_json) {
  return Parse(ReadFile(tokenizer_json), tokenizer_json.string());
}

std::shared_ptr<const Tokenizer> Tokenizer::Parse(std::string_view tokenizer_json,
                                                  const std::string& name) {
  auto impl = std::make_unique<Impl>(ParseTokenizerFile(tokenizer_json, name), name);
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
    NormalizedText plain{valid.substr(part.begin, part.end - part.begin), 0};
    if (part.begin == 0) NextCodePoint(plain.text, &plain.from_start);
    Normalize(impl_->file.normalizer, &plain);
    for (const TextPart& piece : impl_->normalized.Split(plain.text)) {
      if (piece.token >= 0) {
        ids.push_back(piece.token);
        continue;
      }
      const size_t size = piece.end - piece.begin;
      const size_t from_start = plain.from_start - std::min(plain.from_start, piece.begin);
      impl_->EncodePlain(
          {std::string_view(plain.text).substr(piece.begin, size), std::min(from_start, size)},
          &ids);
    }
  }
  return ids;
}

std::vector<int32_t> Tokenizer::EncodePrompt(std::string_view text) const {
  std::vector<int32_t> ids = ends().before;
  const std::vector<int32_t> inner = Encode(text);
  ids.insert(ids.end(), inner.begin(), inner.end());
  return ids;
}

std::vector<int32_t> Tokenizer::EncodeWithSpecials(std::string_view text) const {
  std::vector<int32_t> ids = EncodePrompt(text);
  ids.insert(ids.end(), ends().behind.begin(), ends().behind.end());
  return ids;
}

std::string Tokenizer::Decode(std::span<const int32_t> tokens, bool skip_special) const {
  const std::vector<DecoderStep>& steps = impl_->file.decoder;
  const bool joins_bytes = steps.size() == 1 && steps[0].kind == DecoderKind::kByteLevel;
  Decoding decoding(steps);
  std::string text;
  for (const int32_t id : tokens) {
    if (id < 0) throw UsageError(fmt::format("the token id {} is negative", id));
    const auto symbols = Symbols(id);
    if (!symbols || (skip_special && IsSpecial(id))) continue;
    if (joins_bytes) {
      text += Bytes(id);
    } else {
      decoding.Push(*symbols, &text);
    }
  }
  if (joins_bytes) return ReplaceInvalidUtf8(text);
  decoding.Finish(&text);
  return text;
}

std::string_view Tokenizer::Bytes(int32_t token) const {
  const bool known = token >= 0 && token < vocab_size();
  return known ? std::string_view(impl_->tokens[static_cast<size_t>(token)].bytes)
               : std::string_view();
}

std::optional<std::string_view> Tokenizer::Symbols(int32_t token) const {
  if (token < 0 || token >= vocab_size()) return std::nullopt;
  const Impl::Token& known = impl_->tokens[static_cast<size_t>(token)];
  return known.known ? std::optional<std::string_view>(known.symbols) : std::nullopt;
}

bool Tokenizer::IsSpecial(int32_t token) const {
  return token >= 0 && token < vocab_size() && impl_->tokens[static_cast<size_t>(token)].special;
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->tokens.size()); }

std::optional<int32_t> Tokenizer::TokenId(std::string_view content) const {
  const std::string key(content);
  if (const auto found = impl_->added_ids.find(key); found != impl_->added_ids.end())
    return found->second;
  const auto found = impl_->file.vocabulary->find(key);
  if (found == impl_->file.vocabulary->end()) return std::nullopt;
  return found->second;
}

const std::vector<DecoderStep>& Tokenizer::decoder() const { return impl_->file.decoder; }
const TextEnds& Tokenizer::ends() const { return impl_->file.ends; }

}  // namespace hone
