#include "policy/text/chat_template.h"

#include <fmt/format.h>

#include <array>

#include "common/error.h"
#include "common/file.h"
#include "policy/text/jinja/interpreter.h"
#include "policy/text/jinja/parser.h"
#include "policy/text/jinja/python_text.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

// A parsed template and its name in errors.
struct NamedTemplate {
  std::string path;
  jinja::Body body;
  bool reads_content = false;  // its source has the word "content"
};

[[noreturn]] void FailAt(const std::string& path, const jinja::PlacedFailure& failure) {
  throw FileError(path, fmt::format("line {}, column {}", failure.place.line, failure.place.column),
                  failure.what());
}

NamedTemplate ParseNamed(std::string_view source, const std::string& path) {
  if (!jinja::IsValidUtf8(source)) throw FileError(path, "", "expected a template in UTF-8");
  try {
    const bool reads_content = source.find("content") != std::string_view::npos;
    return {path, jinja::ParseTemplate(source), reads_content};
  } catch (const jinja::PlacedFailure& failure) {
    FailAt(path, failure);
  }
}

}  // namespace

struct ChatTemplate::Impl {
  std::optional<NamedTemplate> standard, tool_use;
  std::string path;
  SpecialTokens special_tokens;

  void ReadConfig(const Json& value, const std::string& config_path);
  const NamedTemplate& Choose(bool with_tools) const;
};

// The "chat_template" of tokenizer_config.json.
void ChatTemplate::Impl::ReadConfig(const Json& value, const std::string& config_path) {
  const std::string where = config_path + ": chat_template";
  if (value.is_string()) {
    standard = ParseNamed(value.get_ref<const std::string&>(), where);
    return;
  }
  const std::string expected = "expected a text, or a list of {\"name\": text, \"template\": text}";
  if (!value.is_array()) throw FileError(config_path, "chat_template", expected);
  for (const Json& entry : value) {
    const bool whole = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                       entry.contains("template") && entry["template"].is_string();
    if (!whole) throw FileError(config_path, "chat_template", expected);
    const std::string name = entry["name"].get<std::string>();
    const std::string& source = entry["template"].get_ref<const std::string&>();
    if (name == "default") standard = ParseNamed(source, where + "[default]");
    if (name == "tool_use") tool_use = ParseNamed(source, where + "[tool_use]");
  }
}

const NamedTemplate& ChatTemplate::Impl::Choose(bool with_tools) const {
  if (with_tools && tool_use) return *tool_use;
  if (standard) return *standard;
  throw FileError(path, "chat_template", "expected a template named \"default\", found none");
}

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;

std::shared_ptr<const ChatTemplate> ChatTemplate::Parse(std::string_view source,
                                                        const std::string& path,
                                                        const SpecialTokens& special_tokens) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->standard = ParseNamed(source, path);
  impl->special_tokens = special_tokens;
  return std::shared_ptr<const ChatTemplate>(new ChatTemplate(std::move(impl)));
}

std::shared_ptr<const ChatTemplate> ChatTemplate::Load(const fs::path& model_folder) {
  const fs::path config_path = model_folder / "tokenizer_config.json";
  const fs::path file = model_folder / "chat_template.jinja";
  const fs::path tool_file = model_folder / "additional_chat_templates" / "tool_use.jinja";
  const Json config = fs::exists(config_path) ? ReadJson(config_path) : Json::object();
  if (!config.is_object()) throw FileError(config_path.string(), "", "expected a JSON object");
  auto impl = std::make_unique<Impl>();
  impl->path = config_path.string();
  if (fs::exists(file)) {
    impl->standard = ParseNamed(ReadFile(file), file.string());
    if (fs::exists(tool_file)) impl->tool_use = ParseNamed(ReadFile(tool_file), tool_file.string());
  } else if (const auto found = config.find("chat_template");
             found != config.end() && !found->is_null()) {
    impl->ReadConfig(*found, config_path.string());
  } else {
    return nullptr;
  }
  impl->special_tokens = ReadSpecialTokens(model_folder);
  return std::shared_ptr<const ChatTemplate>(new ChatTemplate(std::move(impl)));
}

namespace {

// Where the last message's text ends in the rendered one, for continue_final_message.
constexpr std::string_view kContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

// Messages as templates expect them: reasoning under each of the names in use.
OrderedJson PrepareMessages(const OrderedJson& messages) {
  if (!messages.is_array()) {
    throw UsageError(
        fmt::format("messages: expected an array of objects, found {}", messages.type_name()));
  }
  static constexpr std::array kReasoning = {"reasoning_content", "thinking", "reasoning"};
  OrderedJson prepared = OrderedJson::array();
  for (const OrderedJson& message : messages) {
    if (!message.is_object()) {
      throw UsageError(fmt::format("messages: expected objects, found {}", message.type_name()));
    }
    const OrderedJson* reasoning = nullptr;
    for (const char* name : kReasoning) {
      const auto found = message.find(name);
      if (reasoning == nullptr && found != message.end() && !found->is_null()) reasoning = &*found;
    }
    if (reasoning == nullptr) {
      prepared.push_back(message);
      continue;
    }
    OrderedJson aliased = {{"thinking", *reasoning}};
    for (const auto& [key, value] : message.items()) aliased[key] = value;
    aliased["reasoning_content"] = *reasoning;
    prepared.push_back(std::move(aliased));
  }
  return prepared;
}

// Marks the end of the last message's text, which is returned.
std::string TagFinalMessage(OrderedJson* messages) {
  if (messages->empty()) throw UsageError("messages: there is no final message to continue");
  const auto content = messages->back().find("content");
  OrderedJson* text = content == messages->back().end() ? nullptr : &*content;
  if (text != nullptr && text->is_array()) {
    OrderedJson* last = nullptr;
    for (OrderedJson& part : *text) {
      if (part.is_object() && part.contains("text")) last = &part["text"];
    }
    text = last;
  }
  if (text == nullptr || !text->is_string()) {
    throw UsageError("messages: the final message has no text in \"content\" to continue");
  }
  const std::string before = text->get<std::string>();
  *text = before + std::string(kContinueTag);
  return before;
}

std::string CutAtTag(std::string text, const std::string& final_message) {
  const std::string_view tag = kContinueTag.substr(0, kContinueTag.size() - 1);
  const size_t at = text.rfind(tag);
  const std::string_view stripped = jinja::RightStrip(jinja::LeftStrip(final_message));
  if (at == std::string::npos || text.find(stripped) == std::string::npos) {
    throw UsageError("messages: the template leaves out text of the final message to continue");
  }
  const bool kept_space = text.compare(at, kContinueTag.size(), kContinueTag) == 0;
  text.resize(at);
  // A template that trims took the tag's own space away, and with it the message's.
  return kept_space ? text : std::string(jinja::RightStrip(text));
}

}  // namespace

std::string ChatTemplate::Render(const OrderedJson& given, const ChatOptions& options) const {
  const NamedTemplate& chosen = impl_->Choose(!options.tools.is_null());
  OrderedJson messages = PrepareMessages(given);
  std::string final_message;
  if (options.continue_final_message) {
    if (options.add_generation_prompt) {
      throw UsageError("the final message cannot be continued behind a generation prompt");
    }
    if (!chosen.reads_content) throw UsageError("the template does not read \"content\"");
    final_message = TagFinalMessage(&messages);
  }
  jinja::Heap heap;
  jinja::Bindings variables;
  std::string text;
  try {
    for (const auto& [name, token] : impl_->special_tokens) {
      variables.Set(heap, name, jinja::Text(token));
    }
    for (const auto& [name, value] : options.variables.items()) {
      variables.Set(heap, heap.Keep(name), jinja::FromJson(heap, value));
    }
    variables.Set(heap, "messages", jinja::FromJson(heap, messages));
    variables.Set(heap, "tools", jinja::FromJson(heap, options.tools));
    variables.Set(heap, "documents", jinja::FromJson(heap, options.documents));
    variables.Set(heap, "add_generation_prompt", jinja::Bool(options.add_generation_prompt));
    text = jinja::RunTemplate(heap, chosen.body, variables, options.date);
  } catch (const jinja::PlacedFailure& failure) {
    FailAt(chosen.path, failure);
  } catch (const jinja::Failure& failure) {
    throw FileError(chosen.path, "", failure.what());
  }
  return options.continue_final_message ? CutAtTag(std::move(text), final_message) : text;
}

}  // namespace hone
