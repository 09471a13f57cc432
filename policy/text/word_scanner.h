// The patterns that most published tokenizers split by, as loops over characters: the same words as
// the pattern gives (tests/policy/text_word_scanner_test.cpp), some ten times faster.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace hone {

class WordScanner {
 public:
  // The scanner of exactly this pattern, or nothing.
  static std::optional<WordScanner> For(std::string_view pattern);

  // Where the word that begins at `begin` < text.size() ends. The words of a text lie end to end.
  // The text is valid UTF-8.
  size_t WordEnd(std::string_view text, size_t begin) const;

 private:
  explicit WordScanner(int most_numbers) : most_numbers_(most_numbers) {}
  int most_numbers_;  // number characters in a word; 0: GPT-2's pattern
};

// Sources: openai/gpt-2, encoder.py; the tokenizer.json of Qwen2.5 and of Llama 3.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace hone
