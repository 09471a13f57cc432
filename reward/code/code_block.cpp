#include "reward/code/code_block.h"

#include <algorithm>
#include <string>

#include "reward/answer.h"
#include "reward/thought.h"

namespace hone {
namespace {

constexpr std::string_view kAnswer = "<answer>";
constexpr size_t kShortestFence = 3, kDeepestFence = 3;  // characters; spaces before it

// Takes the next line, without its end.
std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

struct Fence {
  char mark = '`';
  size_t length = 0;
  std::string_view label;  // what follows on its line
};

std::optional<Fence> ReadFence(std::string_view line) {
  const size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || begin > kDeepestFence) return std::nullopt;
  Fence fence;
  fence.mark = line[begin];
  if (fence.mark != '`' && fence.mark != '~') return std::nullopt;
  const size_t end = std::min(line.find_first_not_of(fence.mark, begin), line.size());
  fence.length = end - begin;
  fence.label = Trim(line.substr(end));
  if (fence.length < kShortestFence) return std::nullopt;
  // Code between backticks on one line is no fence.
  if (fence.mark == '`' && fence.label.find('`') != std::string_view::npos) return std::nullopt;
  return fence;
}

// Calls use(label, code) for every closed block.
template <typename Use>
bool ForEachBlock(std::string_view text, const Use& use) {
  bool any = false;
  while (!text.empty()) {
    const auto open = ReadFence(TakeLine(&text));
    if (!open) continue;
    any = true;
    const char* begin = text.data();
    while (!text.empty()) {
      const char* end = text.data();
      const auto close = ReadFence(TakeLine(&text));
      if (close && close->mark == open->mark && close->length >= open->length &&
          close->label.empty()) {
        use(open->label, std::string_view(begin, static_cast<size_t>(end - begin)));
        break;
      }
    }
  }
  return any;
}

}  // namespace

std::optional<Language> LanguageOfLabel(std::string_view label) {
  // "python title=x": the first word counts.
  std::string word(label.substr(0, label.find_first_of(" \t{:,")));
  std::transform(word.begin(), word.end(), word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const char* name : {"python", "py", "python3"}) {
    if (word == name) return Language::kPython;
  }
  for (const char* name : {"cpp", "c++", "cc", "cxx"}) {
    if (word == name) return Language::kCpp;
  }
  return std::nullopt;
}

std::optional<CodeBlock> ExtractCode(std::string_view completion, std::optional<Language> wanted) {
  const auto said = AfterThought(completion, /*think_in_prompt=*/false);
  if (!said) return std::nullopt;
  std::string_view text = *said;
  const bool has_answer = text.find(kAnswer) != std::string_view::npos;
  if (has_answer) {
    const auto answer = ExtractAnswer(text, Extract::kAnswer);
    if (!answer) return std::nullopt;
    text = *answer;
  }
  std::optional<CodeBlock> labelled, plain;
  const bool fenced = ForEachBlock(text, [&](std::string_view label, std::string_view code) {
    const auto language = LanguageOfLabel(label);
    if (language && (!wanted || *language == *wanted)) labelled = {code, *language};
    if (label.empty()) plain = {code, wanted.value_or(Language::kPython)};
  });
  if (labelled) return labelled;
  if (plain || fenced || !has_answer) return plain;
  return CodeBlock{text, wanted.value_or(Language::kPython)};
}

}  // namespace hone
