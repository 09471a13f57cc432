// Messages to the text that a model was trained on, by the Jinja template that its publisher wrote
// (docs/chat-templates.md): the same text as transformers' apply_chat_template.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"
#include "policy/text/chat_date.h"
#include "policy/text/special_tokens.h"

namespace hone {

struct ChatOptions {
  OrderedJson tools;      // null: none
  OrderedJson documents;  // null: none
  bool add_generation_prompt = true;
  bool continue_final_message = false;            // the text ends inside of the last message
  OrderedJson variables = OrderedJson::object();  // more, e.g. {"enable_thinking": false}
  // What strftime_now prints. Without it, a template that asks for the date fails: a text that
  // changes over night must be wanted.
  std::optional<ChatDate> date;
};

// Thread contract: immutable; Render is safe from any thread.
class ChatTemplate {
 public:
  ~ChatTemplate();

  // Throws FileError naming line and column for what is no template, or uses what is not supported.
  // `path` is for errors.
  static std::shared_ptr<const ChatTemplate> Parse(std::string_view source, const std::string& path,
                                                   const SpecialTokens& special_tokens = {});
  // The template of a model folder: chat_template.jinja, else tokenizer_config.json's
  // "chat_template" (a text, or a list of names and texts: "default", and "tool_use" for messages
  // with tools). Special tokens come from tokenizer_config.json and special_tokens_map.json. Null
  // when the model has no template. Throws FileError.
  static std::shared_ptr<const ChatTemplate> Load(const std::filesystem::path& model_folder);

  // `messages` is an array of objects. Throws FileError naming line and column in the template:
  // what it raised (raise_exception), what it could not do, or a bound on time or memory;
  // UsageError for messages that are none.
  std::string Render(const OrderedJson& messages, const ChatOptions& options) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
