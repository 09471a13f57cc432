// Text to tokens and back, from Hugging Face's tokenizer.json (byte-level BPE).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// Thread contract: immutable after loading; all calls are safe from any thread.
class Tokenizer {
 public:
  // Throws FileError: no such file, no JSON, not byte-level BPE, no merges, a merge of unknown
  // pieces, an id used twice or out of range, an unsupported setting (named).
  static std::shared_ptr<const Tokenizer> Load(const std::filesystem::path& tokenizer_json);
  ~Tokenizer();

  // The ids of a text; added tokens in it (such as "<think>") are recognised, nothing is added that
  // the text does not hold.
  std::vector<int32_t> Encode(std::string_view text) const;
  // The text of tokens: bytes joined, invalid UTF-8 replaced by U+FFFD as HF does. An id that no
  // token has gives nothing, as in HF (a model's vocabulary is often padded beyond the
  // tokenizer's). Throws UsageError for a negative id. `skip_special` leaves out tokens marked
  // special (EOS, padding).
  std::string Decode(std::span<const int32_t> tokens, bool skip_special = false) const;
  // The raw bytes of one token (an added token's text), for incremental search of stop strings;
  // empty for an id that no token has. Valid as long as the tokenizer.
  std::string_view Bytes(int32_t token) const;
  bool IsSpecial(int32_t token) const;
  int32_t vocab_size() const;  // largest id + 1
  std::optional<int32_t> TokenId(std::string_view content) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
