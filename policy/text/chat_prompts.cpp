#include "policy/text/chat_prompts.h"

#include <fmt/format.h>

#include "common/error.h"

namespace hone {
namespace {

// What `line` has under `key`, or null.
OrderedJson Get(const OrderedJson& line, const std::string& key) {
  const auto found = line.find(key);
  return found == line.end() ? OrderedJson() : *found;
}

bool GetFlag(const OrderedJson& line, const std::string& key, bool fallback) {
  const OrderedJson value = Get(line, key);
  if (value.is_null()) return fallback;
  if (!value.is_boolean()) {
    throw UsageError(fmt::format("\"{}\": expected true or false, found {}", key, Dump(value)));
  }
  return value.get<bool>();
}

OrderedJson GetMessages(const OrderedJson& line) {
  OrderedJson messages = Get(line, "messages");
  if (!messages.is_array()) {
    throw UsageError(
        fmt::format("\"messages\": expected an array of {{\"role\", \"content\"}}, "
                    "found {}",
                    messages.type_name()));
  }
  return messages;
}

// Lists of objects, or null.
OrderedJson GetList(const OrderedJson& line, const std::string& key) {
  OrderedJson list = Get(line, key);
  if (!list.is_null() && !list.is_array()) {
    throw UsageError(fmt::format("\"{}\": expected an array, found {}", key, list.type_name()));
  }
  return list;
}

}  // namespace

ChatRequest ReadChatRequest(const OrderedJson& value, bool add_generation_prompt) {
  ChatRequest request;
  request.options.add_generation_prompt = add_generation_prompt;
  if (value.is_array()) {
    request.messages = value;
    return request;
  }
  if (!value.is_object()) {
    throw UsageError("expected an array of messages, or an object with \"messages\"");
  }
  request.messages = GetMessages(value);
  request.options.tools = GetList(value, "tools");
  request.options.documents = GetList(value, "documents");
  request.options.continue_final_message = GetFlag(value, "continue_final_message", false);
  request.options.add_generation_prompt =
      GetFlag(value, "add_generation_prompt",
              add_generation_prompt && !request.options.continue_final_message);
  for (const auto& [key, variable] : value.items()) {
    const bool known = key == "messages" || key == "tools" || key == "documents" ||
                       key == "add_generation_prompt" || key == "continue_final_message";
    if (!known) request.options.variables[key] = variable;
  }
  return request;
}

ChatRequest ReadChatColumns(const OrderedJson& line, const std::string& system_prompt) {
  ChatRequest request;
  request.messages = GetMessages(line);
  request.options.tools = GetList(line, "tools");
  request.options.documents = GetList(line, "documents");
  const OrderedJson variables = Get(line, "chat_template_kwargs");
  if (variables.is_object()) {
    request.options.variables = variables;
  } else if (!variables.is_null()) {
    throw UsageError(fmt::format("\"chat_template_kwargs\": expected an object, found {}",
                                 variables.type_name()));
  }
  const bool has_system = !request.messages.empty() && request.messages.front().is_object() &&
                          Get(request.messages.front(), "role") == OrderedJson("system");
  if (!system_prompt.empty() && !has_system) {
    const OrderedJson system = {{"role", "system"}, {"content", system_prompt}};
    request.messages.insert(request.messages.begin(), system);
  }
  return request;
}

std::optional<ChatDate> ChatDateOrNone(const std::string& text, const std::string& name) {
  if (text.empty()) return std::nullopt;
  return ChatDate::Parse(text, name);
}

ChatDate ChatDateOrToday(const std::string& text, const std::string& name) {
  return text.empty() ? ChatDate::Today() : ChatDate::Parse(text, name);
}

void ChatPrompts::Load() {
  if (template_ != nullptr) return;
  template_ = ChatTemplate::Load(model_folder_);
  if (template_ == nullptr) {
    throw FileError(model_folder_.string(), "",
                    "has no chat template, which messages need: expected chat_template.jinja, or "
                    "\"chat_template\" in tokenizer_config.json");
  }
}

std::string ChatPrompts::Render(ChatRequest request) {
  Load();
  request.options.date = date_;
  return template_->Render(request.messages, request.options);
}

std::string ChatPrompts::Prompt(const OrderedJson& line, const std::string& system_prompt) {
  return Render(ReadChatColumns(line, system_prompt));
}

ChatDemonstration ChatPrompts::Demonstration(const OrderedJson& line,
                                             const std::string& system_prompt) {
  ChatRequest whole = ReadChatColumns(line, system_prompt);
  const bool answered = !whole.messages.empty() && whole.messages.back().is_object() &&
                        Get(whole.messages.back(), "role") == OrderedJson("assistant");
  if (!answered) {
    throw UsageError(
        "\"messages\": expected the assistant's as the last, which is the completion to learn "
        "(or a \"completion\" beside the messages)");
  }
  ChatRequest before = whole;
  before.messages.erase(before.messages.size() - 1);
  whole.options.add_generation_prompt = false;
  ChatDemonstration demonstration;
  demonstration.prompt = Render(std::move(before));
  const std::string text = Render(std::move(whole));
  if (!text.starts_with(demonstration.prompt)) {
    size_t same = 0;
    while (same < text.size() && text[same] == demonstration.prompt[same]) ++same;
    throw UsageError(fmt::format(
        "the chat template renders the prompt differently once the answer follows (from byte {} "
        "on), so the model would learn to answer what it is never asked: give the answer as "
        "\"completion\" beside the messages",
        same));
  }
  demonstration.completion = text.substr(demonstration.prompt.size());
  return demonstration;
}

}  // namespace hone
