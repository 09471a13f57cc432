#include "reward/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/error.h"
#include "common/nearest.h"

namespace hone {

OptionReader::OptionReader(std::string owner, const Json& options)
    : owner_(std::move(owner)), options_(options) {
  if (!options_.is_object() && !options_.is_null()) {
    throw UsageError(
        fmt::format("{}: expected options as an object, found {}", owner_, Dump(options_)));
  }
}

const Json* OptionReader::Find(const std::string& key) {
  known_.push_back(key);
  if (options_.is_null()) return nullptr;
  const auto found = options_.find(key);
  return found == options_.end() ? nullptr : &*found;
}

void OptionReader::Wrong(const std::string& key, const std::string& expected) const {
  throw UsageError(
      fmt::format("{}: {}: expected {}, found {}", owner_, key, expected, Dump(options_[key])));
}

bool OptionReader::Bool(const std::string& key, bool fallback) {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) Wrong(key, "true or false");
  return value->get<bool>();
}

int64_t OptionReader::Integer(const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  const std::string expected = fmt::format("an integer from {} to {}", low, high);
  // An unsigned value above the signed range would wrap.
  if (!value->is_number_integer() ||
      (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{INT64_MAX})) {
    Wrong(key, expected);
  }
  const int64_t number = value->get<int64_t>();
  if (number < low || number > high) Wrong(key, expected);
  return number;
}

double OptionReader::Number(const std::string& key, double fallback, double low, double high) {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  const std::string expected = fmt::format("a number from {} to {}", low, high);
  if (!value->is_number()) Wrong(key, expected);
  const double number = value->get<double>();
  if (!(number >= low && number <= high)) Wrong(key, expected);
  return number;
}

std::string OptionReader::Text(const std::string& key, const std::string& fallback) {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) Wrong(key, "a string");
  return value->get<std::string>();
}

std::string OptionReader::OneOf(const std::string& key, const std::string& fallback,
                                const std::vector<std::string>& choices) {
  const std::string text = Text(key, fallback);
  if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
    Wrong(key, fmt::format("one of \"{}\"", fmt::join(choices, "\", \"")));
  }
  return text;
}

Json OptionReader::Object(const std::string& key) {
  const Json* value = Find(key);
  if (value == nullptr) return Json::object();
  if (!value->is_object()) Wrong(key, "an object");
  return *value;
}

std::vector<std::string> OptionReader::Words(const std::string& key,
                                             const std::vector<std::string>& fallback) {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  const std::string expected =
      "words (letters, digits, _) without repetition, in a list or between commas";
  std::vector<std::string> words;
  if (value->is_array()) {
    for (const auto& item : *value)
      words.push_back(item.is_string() ? item.get<std::string>() : "");
  } else if (value->is_string()) {
    const std::string text = value->get<std::string>();
    for (size_t at = 0; at <= text.size();) {
      const size_t comma = std::min(text.find(',', at), text.size());
      words.push_back(text.substr(at, comma - at));
      at = comma + 1;
    }
  }
  const auto is_word = [](const std::string& word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
  };
  if (words.empty() || !std::all_of(words.begin(), words.end(), is_word)) Wrong(key, expected);
  for (size_t i = 0; i < words.size(); ++i) {
    if (std::find(words.begin(), words.begin() + static_cast<ptrdiff_t>(i), words[i]) !=
        words.begin() + static_cast<ptrdiff_t>(i)) {
      Wrong(key, expected);
    }
  }
  return words;
}

void OptionReader::Finish() const {
  if (options_.is_null()) return;
  for (const auto& [key, value] : options_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string hint = known_.empty() ? "; it has none" : DidYouMean(key, known_);
    throw UsageError(fmt::format("{}: {}: unknown option{}", owner_, key, hint));
  }
}

Json ParseOptions(const std::vector<std::string>& pairs) {
  Json options = Json::object();
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError(fmt::format("--set: expected key=value, found \"{}\"", pair));
    }
    const std::string key = pair.substr(0, equals), text = pair.substr(equals + 1);
    Json value;
    try {
      value = Json::parse(text);
    } catch (const Json::exception&) {
      value = text;  // plain text needs no quotes on a command line
    }
    options[key] = std::move(value);
  }
  return options;
}

}  // namespace hone
