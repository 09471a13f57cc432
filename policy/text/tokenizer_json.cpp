#include "policy/text/tokenizer_json.h"

#include <fmt/format.h>

#include "common/error.h"
#include "policy/text/utf8.h"

namespace hone {

void TokenizerJson::Fail(const std::string& where, const std::string& message) const {
  throw FileError(path_, where, message);
}

void TokenizerJson::FailType(const std::string& where, const std::string& type,
                             const std::string& known) const {
  Fail(where, fmt::format("{} is not supported; expected {}", type, known));
}

const Json& TokenizerJson::Get(const Json& object, const std::string& key) {
  static const Json kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

const Json& TokenizerJson::Object(const Json& json, const std::string& key,
                                  const std::string& where) const {
  const Json& value = Get(json, key);
  if (!value.is_object()) Fail(Join(where, key), "expected an object");
  return value;
}

std::string TokenizerJson::String(const Json& json, const std::string& key,
                                  const std::string& where) const {
  const Json& value = Get(json, key);
  if (!value.is_string()) Fail(Join(where, key), "expected a string");
  return value.get<std::string>();
}

std::string TokenizerJson::String(const Json& json, const std::string& key,
                                  const std::string& where, const std::string& fallback) const {
  return Present(json, key) ? String(json, key, where) : fallback;
}

std::string TokenizerJson::Character(const Json& json, const std::string& key,
                                     const std::string& where) const {
  std::string text = String(json, key, where);
  size_t end = 0;
  if (!text.empty()) NextCodePoint(text, &end);
  if (text.empty() || end != text.size()) {
    Fail(Join(where, key), fmt::format("expected one character, found {}", Quote(text)));
  }
  return text;
}

bool TokenizerJson::Bool(const Json& json, const std::string& key, const std::string& where,
                         bool fallback) const {
  const Json& value = Get(json, key);
  if (value.is_null()) return fallback;
  if (!value.is_boolean()) Fail(Join(where, key), "expected true or false");
  return value.get<bool>();
}

int32_t TokenizerJson::Id(const Json& value, const std::string& where) const {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) {
    Fail(where, fmt::format("expected an id from 0 to 2147483647, found {}", Dump(value)));
  }
  return static_cast<int32_t>(value.get<uint64_t>());
}

size_t TokenizerJson::Count(const Json& json, const std::string& key, const std::string& where,
                            size_t fallback) const {
  const Json& value = Get(json, key);
  if (value.is_null()) return fallback;
  if (!value.is_number_unsigned()) {
    Fail(Join(where, key), fmt::format("expected a number from 0 on, found {}", Dump(value)));
  }
  return value.get<size_t>();
}

std::string TokenizerJson::Type(const Json& json, const std::string& where) const {
  if (!json.is_object()) Fail(where, "expected an object");
  return String(json, "type", where);
}

}  // namespace hone
