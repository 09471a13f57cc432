// GPT-2's alphabet: each of the 256 bytes has a printable code point, in which vocabularies of
// byte-level BPE are written. Source: openai/gpt-2, encoder.py, bytes_to_unicode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone {

char32_t SymbolOfByte(uint8_t byte);
int ByteOfSymbol(char32_t symbol);  // -1 when it stands for none
void AppendSymbols(std::string_view bytes, std::string* out);

// The bytes of a text that is all symbols; nothing when another character is in it.
std::optional<std::string> BytesOfSymbols(std::string_view symbols);

// The bytes a token stands for: each symbol's byte when all of the token are symbols, else the
// token's own UTF-8 (as the ByteLevel decoder of Hugging Face reads it).
std::string BytesOfToken(std::string_view token);

}  // namespace hone
