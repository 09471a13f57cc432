#include "rollout/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "common/error.h"
#include "common/file.h"
#include "tiny_policy.h"

namespace hone {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<PromptRow> Read(const std::string& lines, const DataSection& data = {},
                            int64_t max_prompt_length = 0) {
  const auto path = TestFolder() / "data.jsonl";
  WriteFileAtomically(path, lines);
  ChatPrompts chat(TestFolder(), std::nullopt);
  return ReadPrompts(path, data, *TinyTokenizer(), chat, max_prompt_length);
}

std::string ErrorOf(const std::string& lines, int64_t max_prompt_length = 0) {
  try {
    Read(lines, {}, max_prompt_length);
  } catch (const FileError& error) {
    return error.what();
  }
  return "no FileError";
}

TEST(ReadPromptsTest, ReadsTextAndTokensAndKeepsTheColumns) {
  const std::string line = R"({"prompt": "in the", "answer": "7"})";
  const auto rows = Read(line + "\n\n" + R"({"tokens": [104, 105]})" + "\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].prompt, "in the");
  EXPECT_EQ(rows[0].prompt_tokens, TinyTokenizer()->Encode("in the"));
  EXPECT_EQ(rows[0].columns, line);
  EXPECT_EQ(rows[1].prompt, "hi");
  EXPECT_EQ(rows[1].prompt_tokens, (std::vector<int32_t>{104, 105}));
}

TEST(ReadPromptsTest, PutsTheSystemPromptBeforeThePrompt) {
  DataSection data;
  data.system_prompt = "Be br";
  data.prompt_column = "question";
  const auto rows = Read(R"({"question": "ief."})", data);
  EXPECT_EQ(rows[0].prompt, "Be brief.");
  EXPECT_EQ(rows[0].prompt_tokens, TinyTokenizer()->Encode("Be brief."));
}

// With a chat template in the folder of the model.
class ReadMessagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteFileAtomically(path_,
                        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
                        "{{ tools | tojson }}{{ tone }}"
                        "{% if messages | length == 0 %}{{ strftime_now('%d') }}{% endif %}"
                        "{% if add_generation_prompt %}[assistant] {% endif %}");
  }
  void TearDown() override { std::filesystem::remove(path_); }
  const std::filesystem::path path_ = TestFolder() / "chat_template.jinja";
};

TEST_F(ReadMessagesTest, RendersMessagesUpToTheGenerationPrompt) {
  const auto rows =
      Read(R"({"messages": [{"role": "user", "content": "hi"}], "tools": [{"z": 1, "a": 2}],)"
           R"( "chat_template_kwargs": {"tone": "!"}, "answer": "7"})");
  EXPECT_EQ(rows[0].prompt, "[user] hi\n[{\"z\": 1, \"a\": 2}]![assistant] ");
  EXPECT_EQ(rows[0].prompt_tokens, TinyTokenizer()->Encode(rows[0].prompt));
}

TEST_F(ReadMessagesTest, TheSystemPromptIsTheFirstMessageUnlessThereIsOne) {
  DataSection data;
  data.system_prompt = "Be brief.";
  const auto rows = Read(R"({"messages": [{"role": "user", "content": "a"}]})"
                         "\n"
                         R"({"messages": [{"role": "system", "content": "b"}]})",
                         data);
  EXPECT_EQ(rows[0].prompt, "[system] Be brief.\n[user] a\nnull[assistant] ");
  EXPECT_EQ(rows[1].prompt, "[system] b\nnull[assistant] ");
}

TEST_F(ReadMessagesTest, ATemplateThatPrintsTheDateNeedsOne) {
  EXPECT_THAT(ErrorOf(R"({"messages": []})"),
              AllOf(HasSubstr("line 1"), HasSubstr("data.chat_date")));
}

TEST(ReadPromptsTest, NamesTheLineThatIsWrong) {
  const std::string good = R"({"prompt": "a"})"
                           "\n";
  EXPECT_THAT(ErrorOf(good + "{"), HasSubstr("line 2"));
  EXPECT_THAT(ErrorOf(good + "\n[1]"), AllOf(HasSubstr("line 3"), HasSubstr("object")));
  EXPECT_THAT(ErrorOf(R"({"promt": "a"})"), AllOf(HasSubstr("line 1"), HasSubstr("promt")));
  EXPECT_THAT(ErrorOf(R"({"prompt": 3})"), AllOf(HasSubstr("line 1"), HasSubstr("number")));
  EXPECT_THAT(ErrorOf(good + R"({"prompt": ""})"), AllOf(HasSubstr("line 2"), HasSubstr("empty")));
  EXPECT_THAT(ErrorOf(R"({"messages": []})"),
              AllOf(HasSubstr("line 1"), HasSubstr("has no chat template")));
  EXPECT_THAT(ErrorOf(R"({"tokens": [1, 9999]})"), AllOf(HasSubstr("line 1"), HasSubstr("9999")));
  EXPECT_THAT(ErrorOf(R"({"tokens": [-1]})"), HasSubstr("-1"));
  EXPECT_THAT(ErrorOf(R"({"tokens": "a"})"), HasSubstr("array"));
}

TEST(ReadPromptsTest, RefusesAPromptLongerThanTheLimit) {
  const std::string lines = R"({"prompt": "abc"})"
                            "\n"
                            R"({"prompt": "abcd"})";
  EXPECT_THAT(ErrorOf(lines, 3), AllOf(HasSubstr("line 2"), HasSubstr("4 tokens"), HasSubstr("3")));
  EXPECT_EQ(Read(lines, {}, 4).size(), 2u);
}

TEST(ReadPromptsTest, RefusesAnEmptyOrMissingFile) {
  EXPECT_THAT(ErrorOf("\n\n"), HasSubstr("at least one prompt"));
  ChatPrompts chat(TestFolder(), std::nullopt);
  EXPECT_THROW(ReadPrompts(TestFolder() / "missing.jsonl", {}, *TinyTokenizer(), chat, 0),
               FileError);
}

std::vector<int64_t> Epoch(PromptOrder& order, int64_t rows, uint64_t epoch) {
  std::vector<int64_t> visited;
  for (int64_t i = 0; i < rows; ++i) visited.push_back(order.Row(epoch * rows + i));
  return visited;
}

TEST(PromptOrderTest, VisitsEveryRowOnceAnEpochInAnOrderOfItsOwn) {
  for (const int64_t rows : {1, 2, 7, 100}) {
    PromptOrder order(5, rows, true);
    std::vector<int64_t> all(rows);
    std::iota(all.begin(), all.end(), 0);
    for (uint64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<int64_t> visited = Epoch(order, rows, epoch);
      std::sort(visited.begin(), visited.end());
      EXPECT_EQ(visited, all);
    }
  }
  PromptOrder order(5, 100, true), other_seed(6, 100, true);
  EXPECT_NE(Epoch(order, 100, 0), Epoch(order, 100, 1));
  EXPECT_NE(Epoch(order, 100, 0), Epoch(other_seed, 100, 0));
}

TEST(PromptOrderTest, IsAPureFunctionOfTheGroup) {
  PromptOrder forward(5, 10, true), backward(5, 10, true);
  std::vector<int64_t> rows(50);
  for (int64_t group = 49; group >= 0; --group) rows[group] = backward.Row(group);
  for (int64_t group = 0; group < 50; ++group) EXPECT_EQ(forward.Row(group), rows[group]);
}

TEST(PromptOrderTest, KeepsTheFilesOrderWithoutShuffle) {
  PromptOrder order(5, 3, false);
  for (uint64_t group = 0; group < 9; ++group)
    EXPECT_EQ(order.Row(group), static_cast<int64_t>(group % 3));
}

TEST(PromptOrderTest, EveryPermutationIsAboutAsLikely) {
  std::map<std::vector<int64_t>, int> counts;
  PromptOrder order(1, 3, true);
  for (uint64_t epoch = 0; epoch < 6000; ++epoch) ++counts[Epoch(order, 3, epoch)];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [permutation, count] : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace hone
