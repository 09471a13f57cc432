// The options of verifiers and tasks: JSON in, checked values out. Strict: an option that nobody
// asks for, or of the wrong type or range, is a UsageError that names it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/json.h"

namespace hone {

// Ask for every option that there is, then call Finish().
class OptionReader {
 public:
  // `owner` is whose options they are, and starts every message. `options` must outlive the reader.
  OptionReader(std::string owner, const Json& options);

  bool Bool(const std::string& key, bool fallback);
  int64_t Integer(const std::string& key, int64_t fallback, int64_t low,
                  int64_t high);  // inclusive
  double Number(const std::string& key, double fallback, double low, double high);
  std::string Text(const std::string& key, const std::string& fallback);
  std::string OneOf(const std::string& key, const std::string& fallback,
                    const std::vector<std::string>& choices);
  // An object, or an empty one when not given.
  Json Object(const std::string& key);
  // A list of words without repetition; as text they stand between commas.
  std::vector<std::string> Words(const std::string& key, const std::vector<std::string>& fallback);
  // Throws UsageError for an option that was not asked for, with the nearest that was.
  void Finish() const;

 private:
  const Json* Find(const std::string& key);  // null when not given
  [[noreturn]] void Wrong(const std::string& key, const std::string& expected) const;

  std::string owner_;
  const Json& options_;
  std::vector<std::string> known_;
};

// The pairs "k=v" of --set as an object. A value that is JSON is taken as that, any other as text.
// Throws UsageError for a pair without a key or "=".
Json ParseOptions(const std::vector<std::string>& pairs);

}  // namespace hone
