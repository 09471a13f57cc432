// Lines with messages, in all the places where a line can have a prompt: what they say, and the
// model's chat template for them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/json.h"
#include "policy/text/chat_template.h"

namespace hone {

// Messages and how to render them.
struct ChatRequest {
  OrderedJson messages;
  ChatOptions options;
};

// Of `hone tokenize --chat`: an array of messages, or an object of "messages", "tools",
// "documents", "add_generation_prompt", "continue_final_message", and variables of the template.
// Throws UsageError.
ChatRequest ReadChatRequest(const OrderedJson& value, bool add_generation_prompt);
// Of a data set's line, whose other columns are no business of the template: "messages", "tools",
// "documents" and, with variables of the template, "chat_template_kwargs" (TRL's names). A
// `system_prompt` that is not empty is put first when the messages have no system message there.
// Throws UsageError.
ChatRequest ReadChatColumns(const OrderedJson& line, const std::string& system_prompt);

// A demonstration: the text that the model is given, and what it is to answer.
struct ChatDemonstration {
  std::string prompt, completion;
};

// "YYYY-MM-DD", or today's when empty. `name` is the flag it came from.
ChatDate ChatDateOrToday(const std::string& text, const std::string& name);
// The same, but nothing when empty: a run must not depend on the day it is started.
std::optional<ChatDate> ChatDateOrNone(const std::string& text, const std::string& name);

// The template of a model folder, read when it is first asked for. Thread contract: one thread.
class ChatPrompts {
 public:
  ChatPrompts(std::filesystem::path model_folder, std::optional<ChatDate> date)
      : model_folder_(std::move(model_folder)), date_(date) {}

  // Throws FileError when the model has no template, or none that can be read.
  void Load();
  // Loads when needed. Throws as ChatTemplate::Render does.
  std::string Render(ChatRequest request);
  // The text that a line's messages ask the model to go on from.
  std::string Prompt(const OrderedJson& line, const std::string& system_prompt);
  // A line whose last message is the assistant's: what comes before it, as a prompt, and what the
  // template makes of it. Throws UsageError when the one is no prefix of the other: then the model
  // would be trained on what it never sees when it answers.
  ChatDemonstration Demonstration(const OrderedJson& line, const std::string& system_prompt);

 private:
  std::filesystem::path model_folder_;
  std::optional<ChatDate> date_;
  std::shared_ptr<const ChatTemplate> template_;
};

}  // namespace hone
