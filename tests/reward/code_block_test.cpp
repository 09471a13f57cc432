#include "reward/code/code_block.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace hone {
namespace {

std::string Code(const std::string& completion, std::optional<Language> wanted = {}) {
  const auto block = ExtractCode(completion, wanted);
  return block ? std::string(block->code) : "none";
}

TEST(CodeBlockTest, TakesTheLastLabelledBlockAfterTheThought) {
  EXPECT_EQ(Code("```python\na\n```"), "a\n");
  EXPECT_EQ(Code("```python\na\n```\nor\n```py\nb\n```\n"), "b\n");
  EXPECT_EQ(Code("<think>```python\na\n```</think>```python\nb\n```"), "b\n");
  EXPECT_EQ(Code("```python\na\n```\nIt prints\n```\n3\n```"), "a\n");
  EXPECT_EQ(Code("```\na\n```\n```json\n{}\n```"), "a\n");
  EXPECT_EQ(Code("~~~python\na\n~~~"), "a\n");
  EXPECT_EQ(Code("````python\n```\na\n```\n````"), "```\na\n```\n");
  EXPECT_EQ(Code("   ```python title=x\r\na\r\n   ```"), "a\r\n");
  EXPECT_EQ(Code("```python\n```"), "");
}

TEST(CodeBlockTest, LooksInsideTheLastAnswer) {
  EXPECT_EQ(Code("```python\na\n```<answer>```python\nb\n```</answer>"), "b\n");
  EXPECT_EQ(Code("<think>t</think><answer>\nprint(1)\n</answer>"), "print(1)");
  EXPECT_EQ(Code("<answer>a</answer><answer>b</answer>"), "b");
  EXPECT_EQ(Code("<answer>```python\nb"), "none");
}

TEST(CodeBlockTest, FindsNoneWhereNothingWasFinished) {
  for (const char* text :
       {"", "print(1)", "```python\na", "```python\na\n``", "<think>```python\na\n```",
        "```python a```", "`a`", "    ```python\na\n    ```", "```json\n{}\n```",
        "```python\na\n```</think>", "</think><think>\n```python\na\n```",
        "<answer>```json\n1\n```</answer>"}) {
    EXPECT_EQ(Code(text), "none") << text;
  }
}

TEST(CodeBlockTest, TellsLanguagesByTheLabel) {
  const auto language = [](const std::string& label, std::optional<Language> wanted = {}) {
    return ExtractCode("```" + label + "\na\n```", wanted)->language;
  };
  for (const char* label : {"", "python", "Python3", "py", "py {.x}"}) {
    EXPECT_EQ(language(label), Language::kPython) << label;
  }
  for (const char* label : {"cpp", "C++", "cc", "cxx"}) {
    EXPECT_EQ(language(label), Language::kCpp) << label;
  }
  EXPECT_EQ(language("", Language::kCpp), Language::kCpp);
  const std::string both = "```python\na\n```\n```cpp\nb\n```";
  EXPECT_EQ(Code(both), "b\n");
  EXPECT_EQ(Code(both, Language::kPython), "a\n");
  EXPECT_EQ(Code("```python\na\n```", Language::kCpp), "none");
}

TEST(CodeBlockTest, IsLinearInHostileText) {
  std::string fences, ticks;
  for (int i = 0; i < 300'000; ++i) fences += "```python\n~~~\n";
  ticks.assign(3'000'000, '`');
  const auto start = std::chrono::steady_clock::now();
  Code(fences);
  Code(ticks);
  Code("<answer>" + fences + ticks);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace hone
