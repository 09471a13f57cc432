// The program in a completion. Linear in the text; views into it.
#pragma once

#include <optional>
#include <string_view>

namespace hone {

enum class Language { kPython, kCpp };

struct CodeBlock {
  std::string_view code;
  Language language = Language::kPython;
};

// The language of a fence's label ("python", "py", "cpp", "c++", …); nothing for another or none.
std::optional<Language> LanguageOfLabel(std::string_view label);

// The last program after the thought: of the fenced blocks labelled as a language (as `wanted`, if
// given), the last; if there is none, the last block without a label. With <answer>…</answer> after
// the thought, the same inside the last of these; an answer without a fence is a program as a
// whole. A program without a label is of the language `wanted`, or Python. Nothing when there is no
// program: a thought or a block that was never closed holds none.
std::optional<CodeBlock> ExtractCode(std::string_view completion, std::optional<Language> wanted);

}  // namespace hone
