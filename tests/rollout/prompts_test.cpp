#include "rollout/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "common/compression.h"
#include "common/error.h"
#include "common/file.h"
#include "rollout/gold_answer.h"
#include "rollout/prompt_template.h"
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
  return ReadPrompts({path.string()}, data, *TinyTokenizer(), chat, max_prompt_length).rows;
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

// TinyTokenizer with "a" before a text and "z" behind it.
std::shared_ptr<const Tokenizer> TokenizerWithEnds() {
  TinyTokenizer();
  Json json = ReadJson(TestFolder() / "tokenizer.json");
  json["post_processor"] = {
      {"type", "BertProcessing"}, {"cls", {"BOS", 'a'}}, {"sep", {"EOS", 'z'}}};
  return Tokenizer::Parse(json.dump(), "tokenizer.json");
}

TEST(ReadPromptsTest, TextGetsWhatTheTokenizerPutsBeforeIt) {
  const auto tokenizer = TokenizerWithEnds();
  const auto path = TestFolder() / "data.jsonl";
  WriteFileAtomically(path, R"({"prompt": "hi"})"
                            "\n"
                            R"({"tokens": [104, 105]})");
  ChatPrompts chat(TestFolder(), std::nullopt);
  DataSection data;
  data.system_prompt = "I";
  auto rows = ReadPrompts({path.string()}, data, *tokenizer, chat, 0).rows;
  EXPECT_EQ(rows[0].prompt, "Ihi");
  EXPECT_EQ(rows[0].prompt_tokens, (std::vector<int32_t>{'a', 'I', 'h', 'i'}));
  EXPECT_EQ(rows[1].prompt_tokens, (std::vector<int32_t>{'I', 'h', 'i'}));
  data.prompt_template = "{prompt}!";
  WriteFileAtomically(path, R"({"prompt": "hi"})");
  rows = ReadPrompts({path.string()}, data, *tokenizer, chat, 0).rows;
  EXPECT_EQ(rows[0].prompt_tokens, (std::vector<int32_t>{'a', 'I', 'h', 'i', '!'}));
  data.system_prompt.clear();
  data.prompt_template.clear();
  WriteFileAtomically(path, R"({"prompt": ""})");
  EXPECT_THROW(ReadPrompts({path.string()}, data, *tokenizer, chat, 0), FileError);
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

TEST_F(ReadMessagesTest, MessagesGetNoBosButTheTemplates) {
  const auto tokenizer = TokenizerWithEnds();
  const auto path = TestFolder() / "data.jsonl";
  WriteFileAtomically(path, R"({"messages": [{"role": "user", "content": "hi"}]})");
  ChatPrompts chat(TestFolder(), std::nullopt);
  const auto rows = ReadPrompts({path.string()}, {}, *tokenizer, chat, 0).rows;
  EXPECT_EQ(rows[0].prompt_tokens, tokenizer->Encode(rows[0].prompt));
  EXPECT_EQ(rows[0].prompt_tokens[0], '[');
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
  EXPECT_THAT(ErrorOf(R"({"messages": []})"), HasSubstr("has no chat template"));
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
  EXPECT_THAT(ErrorOf("\n\n"), HasSubstr("at least one row"));
  ChatPrompts chat(TestFolder(), std::nullopt);
  EXPECT_THROW(ReadPrompts({"/missing.jsonl"}, {}, *TinyTokenizer(), chat, 0), FileError);
}

TEST(ReadPromptsTest, FillsTheTemplateFromColumns) {
  DataSection data;
  data.prompt_template = "{question} of {nums} is {{{target}}}";
  const auto rows =
      Read(R"({"question": "sum", "nums": [1, 2.5, "x"], "target": 7, "prompt": "no"})", data);
  EXPECT_EQ(rows[0].prompt, "sum of [1, 2.5, x] is {7}");
  EXPECT_THROW(Read(R"({"question": "sum", "nums": [[1]], "target": 7})", data), FileError);
  EXPECT_THAT([&] { Read(R"({"question": "sum", "num": [1], "target": 7})", data); },
              ::testing::ThrowsMessage<RowError>(AllOf(HasSubstr("nums"), HasSubstr("\"num\""))));
}

TEST(PromptTemplateTest, RefusesBracesThatAreNoColumn) {
  for (const std::string text : {"{", "a } b", "{}", "{a{b}", "\\boxed{}"})
    EXPECT_THROW(PromptTemplate{text}, UsageError) << text;
  EXPECT_TRUE(PromptTemplate("").empty());
  EXPECT_EQ(PromptTemplate("\\boxed{{}}").Fill({"f", "line", 1}, Json::object()), "\\boxed{}");
}

std::string Answer(const std::string& text, const std::string& rule) {
  return GoldAnswer({"f", "line", 1}, {{"answer", text}}, "answer", rule);
}

TEST(GoldAnswerTest, Gsm8kIsWhatFollowsTheHashes) {
  EXPECT_EQ(Answer("48/2 = <<48/2=24>>24 clips.\n#### 72", "gsm8k"), "72");
  EXPECT_EQ(Answer("#### 1\n#### -1,234.5 \n", "gsm8k"), "-1234.5");
  EXPECT_THROW(Answer("72", "gsm8k"), RowError);
  EXPECT_THROW(Answer("####  ", "gsm8k"), RowError);
}

TEST(GoldAnswerTest, BoxedIsWhatTheLastBoxHolds) {
  EXPECT_EQ(Answer(R"(First \boxed{1}, so $x = \boxed{\frac{1}{2}}$.)", "boxed"), R"(\frac{1}{2})");
  EXPECT_EQ(Answer(R"($\boxed 5$ apples)", "boxed"), "5");
  EXPECT_EQ(Answer(R"(\boxed{1} then \fbox{2})", "boxed"), "2");
  EXPECT_EQ(Answer(R"(\boxed{ \left\{ 1 \right. })", "boxed"), R"(\left\{ 1 \right.)");
  for (const std::string text : {"5", "\\boxed{5", "\\boxed{}", "\\boxed"})
    EXPECT_THROW(Answer(text, "boxed"), RowError) << text;
}

TEST(ReadPromptsTest, VerifiersSeeTheAnswerInTheColumnsPlace) {
  DataSection data;
  data.answer_from = "gsm8k";
  const auto rows = Read(R"({"prompt": "p", "answer": "work\n#### 42", "level": 3})", data);
  EXPECT_EQ(Json::parse(rows[0].columns),
            Json::parse(R"({"prompt": "p", "answer": "42", "level": 3})"));
}

// Bad rows of every kind between good ones.
const std::string kMixed = R"({"prompt": "a"})"
                           "\n{\n"
                           R"({"prompt": "abcdefgh"})"
                           "\n[]\n"
                           R"({"answer": "1"})"
                           "\n"
                           R"({"prompt": "b"})";

TEST(ReadPromptsTest, SkipsAndCountsWhatCannotBeUsed) {
  const auto path = TestFolder() / "data.jsonl";
  WriteFileAtomically(path, kMixed);
  DataSection data;
  data.on_error = "skip";
  ChatPrompts chat(TestFolder(), std::nullopt);
  const PromptSet set = ReadPrompts({path.string()}, data, *TinyTokenizer(), chat, 4);
  ASSERT_EQ(set.rows.size(), 2u);
  EXPECT_EQ(set.rows[1].prompt, "b");
  EXPECT_EQ(set.report.rows(), 6);
  EXPECT_EQ(set.report.kept(), 2);
  EXPECT_EQ(set.report.skipped,
            (std::map<std::string, int64_t>{
                {"no JSON object", 2}, {"no prompt", 1}, {"prompt too long", 1}}));
  ASSERT_EQ(set.report.first_skipped.size(), 4u);
  EXPECT_THAT(set.report.first_skipped[1], AllOf(HasSubstr("line 3"), HasSubstr("8 tokens")));
  EXPECT_THAT(ErrorOf(kMixed), HasSubstr("line 2"));
  data.prompt_column = "nowhere";
  EXPECT_THAT([&] { ReadPrompts({path.string()}, data, *TinyTokenizer(), chat, 4); },
              ::testing::ThrowsMessage<FileError>(HasSubstr("found none in 6")));
}

TEST(ReadPromptsTest, EveryRowKnowsWhereItStands) {
  const auto lines = TestFolder() / "places.jsonl", array = TestFolder() / "places.json";
  WriteFileAtomically(lines, "no\n\n{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n");
  WriteFileAtomically(array, "[{\"prompt\": \"c\"}, 7, {\"prompt\": \"d\"}]");
  DataSection data;
  data.on_error = "skip";
  ChatPrompts chat(TestFolder(), std::nullopt);
  const PromptSet set =
      ReadPrompts({lines.string(), array.string()}, data, *TinyTokenizer(), chat, 0);
  std::vector<std::string> places;
  for (const PromptRow& row : set.rows) {
    const RowPlace place = set.Place(row);
    places.push_back(std::filesystem::path(place.path).filename().string() + " " + place.where());
  }
  EXPECT_EQ(places, (std::vector<std::string>{"places.jsonl line 3", "places.jsonl line 4",
                                              "places.json row 1", "places.json row 3"}));
}

TEST(ReadPromptsTest, FilesFollowOneAnotherAndPatternsByName) {
  const auto folder = TestFolder() / "parts";
  std::filesystem::create_directories(folder);
  for (const std::string name : {"b", "a", "B"})
    WriteFileAtomically(folder / (name + ".jsonl"), R"({"prompt": ")" + name + R"("})");
  const auto read = [&](const std::vector<std::string>& files) {
    std::string prompts;
    ChatPrompts chat(TestFolder(), std::nullopt);
    for (const PromptRow& row : ReadPrompts(files, {}, *TinyTokenizer(), chat, 0).rows)
      prompts += row.prompt;
    return prompts;
  };
  const std::string at = folder.string();
  EXPECT_EQ(read({at + "/*.jsonl"}), "Bab");
  EXPECT_EQ(read({at + "/b.jsonl", at + "/[aB].jsonl"}), "bBa");
  EXPECT_THAT([&] { read({at + "/*.parquet"}); },
              ::testing::ThrowsMessage<FileError>(HasSubstr("match this pattern")));
}

TEST(DataReportTest, TheFingerprintIsOfTheRowsThatAreKept) {
  const auto path = TestFolder() / "data.jsonl";
  const auto fingerprint = [&](const std::string& bytes) {
    WriteFileAtomically(path, bytes);
    DataSection data;
    data.on_error = "skip";
    ChatPrompts chat(TestFolder(), std::nullopt);
    return ReadPrompts({path.string()}, data, *TinyTokenizer(), chat, 0).report.fingerprint;
  };
  const std::string a = R"({"prompt": "a"})", b = R"({"prompt": "b"})";
  const std::string both = fingerprint(a + "\n" + b);
  EXPECT_EQ(fingerprint(Compress(a + "\nbad\n" + b + "\n")), both);
  EXPECT_NE(fingerprint(b + "\n" + a), both);
  EXPECT_NE(fingerprint(a), both);
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
