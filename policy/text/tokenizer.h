// Text to tokens and back, from Hugging Face's tokenizer.json. What of it is supported:
// docs/tokenizers.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/decoder.h"
#include "policy/text/text_ends.h"

namespace hone {

// Thread contract: immutable after loading; all calls are safe from any thread.
class Tokenizer {
 public:
  // Throws FileError: no such file, no JSON, no merges, a merge of unknown pieces, an id used twice
  // or out of range, a part or a setting that is not supported (named).
  static std::shared_ptr<const Tokenizer> Load(const std::filesystem::path& tokenizer_json);
  // From the text of such a file; `name` stands for it in errors.
  static std::shared_ptr<const Tokenizer> Parse(std::string_view tokenizer_json,
                                                const std::string& name);
  ~Tokenizer();

  // The ids of a text; added tokens in it (such as "<think>") are recognised, nothing is added that
  // the text does not hold. Throws RunError where a pattern passes its limits, or a character has
  // no token and nothing stands for it.
  std::vector<int32_t> Encode(std::string_view text) const;
  // With the tokens that the file's post-processor puts before and behind a text, as Hugging Face's
  // add_special_tokens=True.
  std::vector<int32_t> EncodeWithSpecials(std::string_view text) const;
  // A text for a model to go on from: with what goes before it (BOS) and without what goes behind
  // (EOS), after which there is nothing to go on with.
  std::vector<int32_t> EncodePrompt(std::string_view text) const;
  // The text of tokens, by the file's decoder; invalid UTF-8 is replaced by U+FFFD as HF does. An
  // id that no token has gives nothing, as in HF (a model's vocabulary is often padded beyond the
  // tokenizer's). Throws UsageError for a negative id. `skip_special` leaves out tokens marked
  // special (EOS, padding).
  std::string Decode(std::span<const int32_t> tokens, bool skip_special = false) const;
  // The raw bytes that one token gives in the middle of a text (an added token's text; " the" for
  // "▁the"; one byte for "<0xE2>"), for incremental search of stop strings; empty for an id that no
  // token has. Decode differs at the ends of a text, where a decoder may strip a space, and where
  // bytes are no UTF-8. Valid as long as the tokenizer.
  std::string_view Bytes(int32_t token) const;
  // The token as the vocabulary writes it, which the decoder takes; nothing for an id that no token
  // has. Valid as long as the tokenizer.
  std::optional<std::string_view> Symbols(int32_t token) const;
  bool IsSpecial(int32_t token) const;
  int32_t vocab_size() const;  // largest id + 1
  std::optional<int32_t> TokenId(std::string_view content) const;
  const std::vector<DecoderStep>& decoder() const;
  const TextEnds& ends() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
