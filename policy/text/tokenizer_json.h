// Typed access to the parts of a tokenizer.json; a wrong part is a FileError that names its key.
#pragma once

#include <cstdint>
#include <string>

#include "common/json.h"

namespace hone {

class TokenizerJson {
 public:
  explicit TokenizerJson(std::string path) : path_(std::move(path)) {}

  [[noreturn]] void Fail(const std::string& where, const std::string& message) const;
  // A type such as a normalizer's that is not supported; `known` says what is.
  [[noreturn]] void FailType(const std::string& where, const std::string& type,
                             const std::string& known) const;

  // null when the key is missing.
  static const Json& Get(const Json& object, const std::string& key);
  static bool Present(const Json& object, const std::string& key) {
    return !Get(object, key).is_null();
  }
  static std::string Join(const std::string& where, const std::string& key) {
    return where.empty() ? key : where + "." + key;
  }
  static std::string Quote(const std::string& text) { return Dump(Json(text)); }

  const Json& Object(const Json& json, const std::string& key, const std::string& where) const;
  std::string String(const Json& json, const std::string& key, const std::string& where) const;
  std::string String(const Json& json, const std::string& key, const std::string& where,
                     const std::string& fallback) const;
  std::string Character(const Json& json, const std::string& key, const std::string& where) const;
  bool Bool(const Json& json, const std::string& key, const std::string& where,
            bool fallback) const;
  // A whole number from 0 to 2147483647.
  int32_t Id(const Json& value, const std::string& where) const;
  size_t Count(const Json& json, const std::string& key, const std::string& where,
               size_t fallback) const;
  // The "type" of a part such as a normalizer.
  std::string Type(const Json& json, const std::string& where) const;

  // Calls handle(part, where) for each element of an array.
  template <class Handle>
  void ForEach(const Json& json, const std::string& key, const std::string& where,
               Handle handle) const {
    const Json& list = Get(json, key);
    if (!list.is_array()) Fail(Join(where, key), "expected an array");
    for (size_t i = 0; i < list.size(); ++i) {
      handle(list[i], Join(where, key) + "[" + std::to_string(i) + "]");
    }
  }

 private:
  std::string path_;
};

}  // namespace hone
