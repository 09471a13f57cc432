#include "policy/text/split_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <stdexcept>

#include "common/error.h"

namespace hone {
namespace {

constexpr size_t kLongestPattern = 64 << 10;  // bytes
constexpr size_t kLeastSteps = 10'000, kStepsPerByte = 1'000, kMostSteps = 10'000'000;
constexpr uint32_t kMostDepth = 1'000'000, kMostHeap = 64 << 10;       // KiB
constexpr size_t kJitStackStart = 64 << 10, kJitStackMost = 32 << 20;  // bytes

std::string Message(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

// What a match writes to: one a thread, since making it costs more than a short match.
struct Scratch {
  Scratch() {
    if (match == nullptr || context == nullptr || stack == nullptr) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
    pcre2_set_depth_limit(context, kMostDepth);
    pcre2_set_heap_limit(context, kMostHeap);
  }
  ~Scratch() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  pcre2_match_data* match = pcre2_match_data_create(1, nullptr);  // the whole match, no groups
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kJitStackStart, kJitStackMost, nullptr);
};

// What one search may take: plenty for a pattern that a text does not make go back and forth.
uint32_t StepLimit(size_t size) {
  return static_cast<uint32_t>(std::min<size_t>(kLeastSteps + kStepsPerByte * size, kMostSteps));
}

size_t CharacterLength(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end - at;
}

}  // namespace

struct SplitPattern::Code {
  explicit Code(pcre2_code* compiled) : pcre2(compiled) {}
  ~Code() { pcre2_code_free(pcre2); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  pcre2_code* pcre2;
};

SplitPattern::SplitPattern(std::string_view oniguruma)
    : SplitPattern(TranslateOniguruma(oniguruma), PCRE2_UCP | PCRE2_MULTILINE) {}

SplitPattern SplitPattern::Literal(std::string_view text) {
  SplitPattern pattern(text, PCRE2_LITERAL);
  pattern.literal_ = text;
  return pattern;
}

SplitPattern::SplitPattern(std::string_view pcre2, unsigned options) {
  if (pcre2.size() > kLongestPattern) {
    throw std::invalid_argument(
        fmt::format("a pattern of {} bytes, expected at most {}", pcre2.size(), kLongestPattern));
  }
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pcre2.data()), pcre2.size(),
                                       options | PCRE2_UTF, &error, &offset, nullptr);
  if (compiled == nullptr) {
    throw std::invalid_argument(fmt::format("the pattern {} is wrong: {}", pcre2, Message(error)));
  }
  code_ = std::make_shared<Code>(compiled);
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // where it cannot, matching interprets
}

std::vector<std::pair<size_t, size_t>> SplitPattern::FindMatches(std::string_view text) const {
  std::vector<std::pair<size_t, size_t>> matches;
  if (!literal_.empty()) {
    for (size_t at = 0; (at = text.find(literal_, at)) != std::string_view::npos;) {
      matches.emplace_back(at, at + literal_.size());
      at += literal_.size();
    }
    return matches;
  }
  thread_local Scratch scratch;
  pcre2_set_match_limit(scratch.context, StepLimit(text.size()));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t at = 0; at <= text.size();) {
    const int found = pcre2_match(code_->pcre2, subject, text.size(), at, PCRE2_NO_UTF_CHECK,
                                  scratch.match, scratch.context);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      throw RunError(
          fmt::format("the tokenizer's pattern gave up on a text of {} bytes, at byte {}: {}",
                      text.size(), at, Message(found)));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch.match);
    const size_t begin = bounds[0], end = bounds[1];
    if (begin == end && !matches.empty() && matches.back().second == end) {
      at += at < text.size() ? CharacterLength(text, at) : 1;
      continue;
    }
    matches.emplace_back(begin, end);
    at = end;
  }
  return matches;
}

}  // namespace hone
