// UTF-8 as the tokenizer needs it: code points, repair of invalid bytes, white space, normal
// forms.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hone {

// The code point at `*at`, which moves behind it. The text must be valid UTF-8, and not end before.
char32_t NextCodePoint(std::string_view text, size_t* at);
void AppendUtf8(char32_t code_point, std::string* out);

// Replaces each maximal part of an ill-formed sequence by U+FFFD (Unicode, section 3.9, "U+FFFD
// Substitution of Maximal Subparts"), as Rust's from_utf8_lossy and Python's errors="replace" do.
std::string ReplaceInvalidUtf8(std::string_view bytes);
// How many bytes at the end begin a character that bytes to come may finish: 0 to 3.
size_t UnfinishedTail(std::string_view bytes);

// Unicode's White_Space property.
bool IsWhiteSpace(char32_t code_point);
// Where the white space that ends at `end` begins; looks no further back than `floor`.
size_t WhiteSpaceBefore(std::string_view text, size_t end, size_t floor);
// Where the white space that begins at `begin` ends.
size_t WhiteSpaceAfter(std::string_view text, size_t begin);

enum class NormalForm { kC, kD, kKC, kKD };

// A normal form of valid UTF-8, as Hugging Face's tokenizers have it: what came after Unicode 9
// stays where and as it is.
std::string ToNormalForm(std::string_view text, NormalForm form);

}  // namespace hone
