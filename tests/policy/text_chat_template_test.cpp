#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "policy/text/chat_prompts.h"
#include "policy/text/chat_template.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

OrderedJson Chat() {
  return OrderedJson::parse(
      R"([{"role": "user", "content": "hi "}, {"role": "assistant", "content": "yo "}])");
}

std::string Render(const std::string& source, const OrderedJson& messages = Chat(),
                   const ChatOptions& options = {}) {
  return ChatTemplate::Parse(source, "t.jinja", {{"bos_token", "<s>"}})->Render(messages, options);
}

ChatOptions WithoutPrompt() {
  ChatOptions options;
  options.add_generation_prompt = false;
  return options;
}

ChatOptions WithDate(const ChatDate& date) {
  ChatOptions options;
  options.date = date;
  return options;
}

// A list of tools that is empty is a list all the same.
ChatOptions WithNoTools() {
  ChatOptions options;
  options.tools = OrderedJson::array();
  return options;
}

template <class Call>
std::string ErrorOf(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class ChatTemplateFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("hone_chat_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    WriteFileAtomically(folder_ / name, text);
  }
  fs::path folder_;
};

TEST(ChatTemplateTest, RendersMessagesWithTokensAndPrompt) {
  const std::string source =
      "{{ bos_token }}\n{%- for m in messages %}\n<|{{ m.role }}|>{{ m['content'] | trim }}\n"
      "{%- endfor %}\n{%- if add_generation_prompt %}<|assistant|>{% endif %}";
  EXPECT_EQ(Render(source), "<s><|user|>hi<|assistant|>yo<|assistant|>");
  EXPECT_EQ(Render(source, Chat(), WithoutPrompt()), "<s><|user|>hi<|assistant|>yo");
}

TEST(ChatTemplateTest, GivesToolsDocumentsAndVariables) {
  ChatOptions options;
  EXPECT_EQ(Render("{{ tools }}{{ documents is none }}{{ x is defined }}", Chat(), options),
            "NoneTrueFalse");
  options.tools = OrderedJson::parse(R"([{"z": 1, "a": "<é>"}])");
  options.variables = {{"x", false}};
  EXPECT_EQ(Render("{{ tools | tojson }}{{ x }}", Chat(), options),
            "[{\"z\": 1, \"a\": \"<é>\"}]False");
}

TEST(ChatTemplateTest, GivesReasoningUnderEachNameInUse) {
  const OrderedJson messages =
      OrderedJson::parse(R"([{"role": "assistant", "content": "a", "thinking": "t"}])");
  EXPECT_EQ(Render("{{ messages[0].reasoning_content }}{{ messages[0] | list }}", messages),
            "t['thinking', 'role', 'content', 'reasoning_content']");
}

TEST(ChatTemplateTest, ContinuesTheFinalMessage) {
  ChatOptions options;
  options.add_generation_prompt = false;
  options.continue_final_message = true;
  EXPECT_EQ(Render("{% for m in messages %}[{{ m.content }}]{% endfor %}", Chat(), options),
            "[hi ][yo ");
  EXPECT_EQ(Render("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}", Chat(), options),
            "[hi][yo");
  EXPECT_THAT(ErrorOf([&] { Render("{{ messages[0].content }}", Chat(), options); }),
              HasSubstr("leaves out"));
  EXPECT_THAT(ErrorOf([&] { Render("content", OrderedJson::array(), options); }),
              HasSubstr("no final message"));
}

TEST(ChatTemplateTest, PrintsTheDateItIsGivenAndNoOther) {
  const std::string source = "{{ strftime_now('%d %b %Y, %-d %A %H:%M') }}";
  EXPECT_EQ(Render(source, Chat(), WithDate({2026, 7, 3})), "03 Jul 2026, 3 Friday 00:00");
  EXPECT_THAT(ErrorOf([&] { Render(source); }), HasSubstr("data.chat_date"));
  EXPECT_THAT(ErrorOf([&] { Render("{{ strftime_now('%999999999d') }}", Chat(), WithDate({})); }),
              HasSubstr("not supported"));
}

TEST(ChatTemplateTest, ADateIsADayOfTheCalendar) {
  EXPECT_EQ(ChatDate::Parse("2024-02-29", "--chat-date").ToString(), "2024-02-29");
  for (const char* bad : {"2023-02-29", "2024-2-9", "today", "2024-02-29 ", "0000-01-01", ""}) {
    EXPECT_THAT(ErrorOf([&] { ChatDate::Parse(bad, "--chat-date"); }), HasSubstr("--chat-date"));
  }
}

TEST(ChatTemplateTest, ErrorsNameThePlace) {
  EXPECT_THAT(ErrorOf([] { Render("é{% if %}"); }), HasSubstr("t.jinja: line 1, column 8:"));
  EXPECT_THAT(ErrorOf([] { Render("a\n  {{ raise_exception('no tools') }}"); }),
              AllOf(HasSubstr("t.jinja: line 2, column 21:"), HasSubstr("no tools")));
  EXPECT_THAT(ErrorOf([] { Render("{% for m in messages %}\n{{ m.content.x.y }}{% endfor %}"); }),
              AllOf(HasSubstr("line 2, column 15"), HasSubstr("'x'")));
  EXPECT_THAT(ErrorOf([] { Render("{{ messages | tojsn }}"); }),
              AllOf(HasSubstr("column 15"), HasSubstr("tojson")));
  EXPECT_THAT(ErrorOf([] { Render("{% include 'x' %}"); }), HasSubstr("not supported"));
  EXPECT_THAT(ErrorOf([] { Render("\xff"); }), HasSubstr("UTF-8"));
  EXPECT_THAT(ErrorOf([] { Render("", OrderedJson("x")); }), HasSubstr("array of objects"));
  EXPECT_THAT(ErrorOf([] { Render("", OrderedJson::array({1})); }), HasSubstr("expected objects"));
}

TEST(ChatTemplateTest, RendersFromManyThreads) {
  const auto chat = ChatTemplate::Parse(
      "{% set ns = namespace(n=0) %}{% for i in range(500) %}{% set ns.n = ns.n + i %}{% endfor %}"
      "{{ ns.n }}",
      "t");
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&text, &chat] {
      for (int i = 0; i < 50; ++i) text = chat->Render(Chat(), {});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(texts, ::testing::Each("124750"));
}

TEST_F(ChatTemplateFolderTest, AModelWithoutATemplateHasNone) {
  EXPECT_EQ(ChatTemplate::Load(folder_), nullptr);
  Write("tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_EQ(ChatTemplate::Load(folder_), nullptr);
}

TEST_F(ChatTemplateFolderTest, TheFileComesBeforeTheConfig) {
  Write("tokenizer_config.json", R"({"chat_template": "config", "bos_token": "<b>"})");
  EXPECT_EQ(ChatTemplate::Load(folder_)->Render(Chat(), {}), "config");
  Write("chat_template.jinja", "file {{ bos_token }}");
  EXPECT_EQ(ChatTemplate::Load(folder_)->Render(Chat(), {}), "file <b>");
}

TEST_F(ChatTemplateFolderTest, MessagesWithToolsTakeTheTemplateForThem) {
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "d"},)"
                                 R"( {"name": "tool_use", "template": "t"}]})");
  const auto chat = ChatTemplate::Load(folder_);
  EXPECT_EQ(chat->Render(Chat(), {}), "d");
  EXPECT_EQ(chat->Render(Chat(), WithNoTools()), "t");
  Write("chat_template.jinja", "f");
  Write("additional_chat_templates/tool_use.jinja", "ft");
  EXPECT_EQ(ChatTemplate::Load(folder_)->Render(Chat(), WithNoTools()), "ft");
}

TEST_F(ChatTemplateFolderTest, SpecialTokensAreTextsOrObjects) {
  Write("special_tokens_map.json", R"({"eos_token": "<old>", "pad_token": {"content": "<p>"}})");
  Write("tokenizer_config.json",
        R"({"eos_token": {"content": "</s>"}, "bos_token": null, "add_bos_token": true,)"
        R"( "chat_template": "{{ eos_token }}{{ pad_token }}{{ bos_token is defined }}"})");
  EXPECT_EQ(ChatTemplate::Load(folder_)->Render(Chat(), {}), "</s><p>False");
}

TEST_F(ChatTemplateFolderTest, ABadTemplateIsAnErrorOfItsFile) {
  Write("tokenizer_config.json", R"({"chat_template": "{{ x"})");
  EXPECT_THAT(ErrorOf([&] { ChatTemplate::Load(folder_); }),
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("line 1, column 1")));
  Write("tokenizer_config.json", R"({"chat_template": 3})");
  EXPECT_THAT(ErrorOf([&] { ChatTemplate::Load(folder_); }), HasSubstr("expected a text"));
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "other", "template": "x"}]})");
  const auto chat = ChatTemplate::Load(folder_);
  EXPECT_THAT(ErrorOf([&] { chat->Render(Chat(), {}); }), HasSubstr("\"default\""));
}

TEST_F(ChatTemplateFolderTest, ADemonstrationIsWhatTheTemplateMakesOfTheLastTurn) {
  Write("chat_template.jinja",
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}");
  ChatPrompts chat(folder_, std::nullopt);
  const auto shown = chat.Demonstration({{"messages", Chat()}}, "");
  EXPECT_EQ(shown.prompt, "<user>hi </s>\n<assistant>");
  EXPECT_EQ(shown.completion, "yo </s>\n");
  EXPECT_THAT(ErrorOf([&] {
                chat.Demonstration({{"messages", OrderedJson::array()}}, "");
              }),
              HasSubstr("the assistant's as the last"));
}

TEST_F(ChatTemplateFolderTest, ADemonstrationWhoseAnswerChangesThePromptIsRefused) {
  Write("chat_template.jinja",
        "{% for m in messages %}{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<think>{% endif %}");
  ChatPrompts chat(folder_, std::nullopt);
  EXPECT_THAT(ErrorOf([&] {
                chat.Demonstration({{"messages", Chat()}}, "");
              }),
              AllOf(HasSubstr("byte 3"), HasSubstr("\"completion\"")));
}

TEST(ChatRequestTest, AnObjectsOtherKeysAreVariables) {
  const ChatRequest request = ReadChatRequest(
      OrderedJson::parse(R"({"messages": [], "tools": [1], "enable_thinking": false})"), true);
  EXPECT_TRUE(request.options.add_generation_prompt);
  EXPECT_EQ(request.options.tools, OrderedJson::array({1}));
  EXPECT_EQ(request.options.variables, OrderedJson({{"enable_thinking", false}}));
  EXPECT_THAT(ErrorOf([] { ReadChatRequest(OrderedJson(3), true); }), HasSubstr("messages"));
  EXPECT_THAT(ErrorOf([] { ReadChatRequest({{"messages", 3}}, true); }), HasSubstr("array"));
}

}  // namespace
}  // namespace hone
