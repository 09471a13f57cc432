// 1 when the answer matches a Perl-compatible pattern (PCRE2, UTF-8; bytes that are none match
// nothing). The pattern is the option `pattern`, or without it the column `pattern_column`. With
// `full` (the default) the whole answer must match, else a part of it. Matching is bounded by
// PCRE2's own counters, never by a clock; what goes over them is "cannot decide", and so is an
// answer of more than 64 KiB. No just-in-time code: its counters would be others.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <cctype>
#include <cstring>

#include "common/error.h"
#include "reward/answer.h"
#include "reward/verifiers/verifiers.h"

namespace hone {
namespace {

constexpr size_t kMaxSubject = 65'536;
constexpr size_t kMaxPattern = 10'000;
constexpr uint32_t kMatchLimit = 200'000, kDepthLimit = 20'000, kHeapLimitKiB = 8'192;

struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
using Code = std::unique_ptr<pcre2_code, CodeDeleter>;

// Null, and `error` says why, for what is no pattern.
Code Compile(const std::string& pattern, bool full, std::string* error) {
  if (pattern.size() > kMaxPattern) {
    *error = fmt::format("expected a pattern of at most {} bytes, found {}", kMaxPattern,
                         pattern.size());
    return nullptr;
  }
  const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
                           (full ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0u);
  int code = 0;
  size_t offset = 0;
  Code compiled(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                              &code, &offset, nullptr));
  if (!compiled) {
    PCRE2_UCHAR text[200];
    pcre2_get_error_message(code, text, sizeof(text));
    *error = fmt::format("expected a pattern of PCRE2, found \"{}\": {} at byte {}",
                         pattern.substr(0, 100), reinterpret_cast<const char*>(text), offset);
  }
  return compiled;
}

// The one text that a pattern matches when nothing in it but an escape of a sign, or anchors at its
// ends, has a meaning of its own; else nothing.
std::optional<std::string> PlainText(std::string_view pattern) {
  if (pattern.starts_with('^')) pattern.remove_prefix(1);
  if (pattern.ends_with('$') && !pattern.ends_with("\\$")) pattern.remove_suffix(1);
  const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool escape = pattern[i] == '\\';
    if (escape && (++i == pattern.size() || word(pattern[i]))) return std::nullopt;
    if (!escape && std::strchr(".^$*+?()[]{}|", pattern[i]) != nullptr) return std::nullopt;
    text += pattern[i];
  }
  return text;
}

class RegexVerifier : public Verifier {
 public:
  explicit RegexVerifier(const Json& options) {
    OptionReader reader(name(), options);
    const std::string pattern = reader.Text("pattern", "");
    pattern_column_ = reader.Text("pattern_column", "pattern");
    full_ = reader.Bool("full", true);
    extract_ = ReadExtract(reader);
    reader.Finish();
    std::string error;
    if (!pattern.empty() && !(code_ = Compile(pattern, full_, &error)))
      throw UsageError("regex: pattern: " + error);
  }
  std::string name() const override { return "regex"; }
  // One pattern for all lines says what an answer looks like; one of its own says what is right.
  bool judges_answers() const override { return code_ == nullptr; }
  std::optional<std::string> GoldAnswer(const Json& columns) const override {
    std::string error;
    const auto pattern = ColumnText(columns, pattern_column_, &error);
    const auto text = pattern ? PlainText(*pattern) : std::nullopt;
    return text ? std::optional(PlaceAnswer(*text, extract_)) : std::nullopt;
  }
  Verdict Score(const Sample& sample) const override {
    Code of_column;
    const pcre2_code* code = code_.get();
    if (code == nullptr) {
      std::string error;
      const auto pattern = ColumnText(sample.columns, pattern_column_, &error);
      if (pattern) of_column = Compile(*pattern, full_, &error);
      if (!of_column) return {.reward = 0, .error = error};
      code = of_column.get();
    }
    const auto answer = ExtractAnswer(sample.completion, extract_);
    if (sample.explanation)
      *sample.explanation = {{"extracted", answer ? std::string(answer->substr(0, 500)) : ""}};
    if (!answer) return Said(sample, "no answer", 0);
    if (answer->size() > kMaxSubject) {
      return {
          .reward = 0,
          .error = fmt::format("cannot decide: the answer has more than {} bytes", kMaxSubject)};
    }
    return Match(sample, code, *answer);
  }

 private:
  static Verdict Said(const Sample& sample, const char* why, double reward) {
    if (sample.explanation) (*sample.explanation)["why"] = why;
    return {.reward = reward, .error = {}};
  }

  static Verdict Match(const Sample& sample, const pcre2_code* code, std::string_view answer) {
    const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
        pcre2_match_context_create(nullptr), pcre2_match_context_free);
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_depth_limit(context.get(), kDepthLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKiB);
    const int result = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(answer.data()), answer.size(),
                                   0, 0, data.get(), context.get());
    if (result >= 0) return Said(sample, "matches", 1);
    if (result == PCRE2_ERROR_NOMATCH) return Said(sample, "does not match", 0);
    PCRE2_UCHAR text[200];
    pcre2_get_error_message(result, text, sizeof(text));
    return {.reward = 0,
            .error = fmt::format("cannot decide: {}", reinterpret_cast<const char*>(text))};
  }

  std::string pattern_column_;
  bool full_;
  Extract extract_;
  Code code_;
};

}  // namespace

std::unique_ptr<Verifier> MakeRegexVerifier(const Json& options) {
  return std::make_unique<RegexVerifier>(options);
}

}  // namespace hone
