// The one JSON library (nlohmann), under one name, with errors that name the file and the place.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hone {

using Json = nlohmann::json;                 // keys sorted
using OrderedJson = nlohmann::ordered_json;  // keys as written

// Deeper JSON is refused: what walks over it takes a stack frame a level.
inline constexpr int64_t kMaxJsonDepth = 200;

// Parses a whole file. Throws FileError with the byte where the text stops being JSON.
Json ReadJson(const std::filesystem::path& path);
// The same of a file's text.
Json ParseJson(std::string_view text, const std::filesystem::path& path);

// Parses one line of a JSON Lines file. Throws FileError naming the line.
Json ParseJsonLine(const std::string& line, const std::filesystem::path& path, int64_t number);
// Parses one text. Throws BadJson, which says what is wrong with it; whoever knows where the text
// stands turns that into a FileError.
struct BadJson : std::runtime_error {
  using std::runtime_error::runtime_error;
};
Json ParseJson(std::string_view text);

// One line of text, invalid UTF-8 replaced by U+FFFD.
std::string Dump(const Json& json);
std::string Dump(const OrderedJson& json);

}  // namespace hone
