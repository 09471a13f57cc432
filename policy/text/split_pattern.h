// The regular expressions of tokenizer.json: written for Oniguruma (Ruby syntax, Unicode 16), run
// by PCRE2. What both read alike is passed on, what they read differently is rewritten or refused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone {

// The same pattern in PCRE2's syntax (to be compiled with UTF, UCP and MULTILINE). Throws
// std::invalid_argument naming the construct that is not supported.
std::string TranslateOniguruma(std::string_view pattern);

// Thread contract: immutable; all calls are safe from any thread (each thread has its own scratch).
class SplitPattern {
 public:
  // Throws std::invalid_argument, saying what is wrong or not supported.
  explicit SplitPattern(std::string_view oniguruma);
  static SplitPattern Literal(std::string_view text);

  // Matches [begin, end) of valid UTF-8, from left to right, none within another; an empty one is
  // kept unless it begins where the last one ended. Throws RunError when the search passes PCRE2's
  // limit of steps (a pattern such as (a+)+$ on a text made for it).
  std::vector<std::pair<size_t, size_t>> FindMatches(std::string_view text) const;

 private:
  struct Code;
  SplitPattern(std::string_view pcre2, unsigned options);
  std::shared_ptr<const Code> code_;
  std::string literal_;  // not empty: found without PCRE2
};

}  // namespace hone
