// The one JSON library (nlohmann), under one name, with errors that name the file and the place.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace hone {

using Json = nlohmann::json;                 // keys sorted
using OrderedJson = nlohmann::ordered_json;  // keys as written

// Parses a whole file. Throws FileError with the byte where the text stops being JSON, or nests
// deeper than 512: what walks a value may recurse.
Json ReadJson(const std::filesystem::path& path);

// Parses one line of a JSON Lines file. Throws FileError naming the line.
Json ParseJsonLine(const std::string& line, const std::filesystem::path& path, int64_t number);

// One line of text, invalid UTF-8 replaced by U+FFFD.
std::string Dump(const Json& json);
std::string Dump(const OrderedJson& json);

}  // namespace hone
