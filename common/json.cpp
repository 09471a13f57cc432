#include "common/json.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/file.h"

namespace hone {
namespace {

// Parsing needs no stack, but writing and comparing do: a level each.
void CheckDepth(std::string_view text) {
  int64_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth)
        throw BadJson(fmt::format("expected JSON of at most {} levels", kMaxJsonDepth));
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

}  // namespace

Json ReadJson(const std::filesystem::path& path) { return ParseJson(ReadFile(path), path); }

Json ParseJson(std::string_view text, const std::filesystem::path& path) {
  try {
    return ParseJson(text);
  } catch (const BadJson& error) {
    throw FileError(path.string(), "", error.what());
  }
}

Json ParseJsonLine(const std::string& line, const std::filesystem::path& path, int64_t number) {
  try {
    return ParseJson(line);
  } catch (const BadJson& error) {
    throw FileError(path.string(), fmt::format("line {}", number), error.what());
  }
}

Json ParseJson(std::string_view text) {
  CheckDepth(text);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const bool utf8 = std::string_view(error.what()).find("ill-formed UTF-8") != std::string::npos;
    throw BadJson(
        utf8 ? fmt::format("expected UTF-8 text, found other bytes at byte {}", error.byte)
             : fmt::format("expected one JSON value, found something else at byte {}", error.byte));
  } catch (const Json::exception& error) {  // such as a number out of range
    throw BadJson(fmt::format("expected one JSON value: {}", error.what()));
  }
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string Dump(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace hone
