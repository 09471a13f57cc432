#include "common/json.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/file.h"

namespace hone {

Json ReadJson(const std::filesystem::path& path) { return ParseJson(ReadFile(path), path); }

Json ParseJson(std::string_view text, const std::filesystem::path& path) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw FileError(path.string(), fmt::format("byte {}", error.byte),
                    "expected JSON, found something else");
  } catch (const Json::exception& error) {  // such as a number out of range
    throw FileError(path.string(), "", fmt::format("expected JSON: {}", error.what()));
  }
}

Json ParseJsonLine(const std::string& line, const std::filesystem::path& path, int64_t number) {
  try {
    return Json::parse(line);
  } catch (const Json::parse_error& error) {
    throw FileError(
        path.string(), fmt::format("line {}", number),
        fmt::format("expected one JSON value a line, found something else at byte {}", error.byte));
  } catch (const Json::exception& error) {
    throw FileError(path.string(), fmt::format("line {}", number),
                    fmt::format("expected one JSON value a line: {}", error.what()));
  }
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string Dump(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace hone
