// UTF-8 as the tokenizer needs it: code points, repair of invalid bytes, white space, normal form
// C.
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

// Unicode's White_Space property.
bool IsWhiteSpace(char32_t code_point);

// Normal form C of valid UTF-8, as Hugging Face's tokenizers have it (marks that came after Unicode
// 9 stay where they are).
std::string NormalFormC(std::string_view text);

}  // namespace hone
