#include "policy/text/byte_level.h"

#include <array>

#include "policy/text/utf8.h"

namespace hone {
namespace {

constexpr int kSymbols = 0x144;  // the largest symbol is U+0143

struct Alphabet {
  std::array<char32_t, 256> symbol{};
  std::array<int16_t, kSymbols> byte{};
};

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte) byte = -1;
  char32_t next = 0x100;  // bytes that print badly take the code points from here on
  for (int byte = 0; byte < 256; ++byte) {
    const bool prints =
        (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const char32_t symbol = prints ? static_cast<char32_t>(byte) : next++;
    alphabet.symbol[static_cast<size_t>(byte)] = symbol;
    alphabet.byte[symbol] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

char32_t SymbolOfByte(uint8_t byte) { return kAlphabet.symbol[byte]; }

int ByteOfSymbol(char32_t symbol) { return symbol < kSymbols ? kAlphabet.byte[symbol] : -1; }

void AppendSymbols(std::string_view bytes, std::string* out) {
  for (const char byte : bytes) AppendUtf8(SymbolOfByte(static_cast<uint8_t>(byte)), out);
}

std::optional<std::string> BytesOfSymbols(std::string_view symbols) {
  std::string bytes;
  for (size_t at = 0; at < symbols.size();) {
    const int byte = ByteOfSymbol(NextCodePoint(symbols, &at));
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

std::string BytesOfToken(std::string_view token) {
  return BytesOfSymbols(token).value_or(std::string(token));
}

}  // namespace hone
