#include "common/json.h"

#include <fmt/format.h>

#include "common/error.h"
#include "common/file.h"

namespace hone {
namespace {

constexpr int kMostNesting = 512;

// The byte (from 1) at which brackets outside of strings nest too deep; 0 when they never do.
size_t TooDeepAt(const std::string& text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMostNesting) return i + 1;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return 0;
}

std::string TooDeep() { return fmt::format("nested deeper than {}", kMostNesting); }

}  // namespace

Json ReadJson(const std::filesystem::path& path) {
  const std::string text = ReadFile(path);
  if (const size_t byte = TooDeepAt(text); byte > 0)
    throw FileError(path.string(), fmt::format("byte {}", byte), TooDeep());
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
  if (TooDeepAt(line) > 0)
    throw FileError(path.string(), fmt::format("line {}", number), TooDeep());
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
