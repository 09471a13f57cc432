// hone tokenize: text to ids, ids to text, or messages to both, one JSON value a line.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "common/error.h"
#include "common/json.h"
#include "policy/text/chat_prompts.h"
#include "policy/text/tokenizer.h"

namespace hone {
namespace {

struct Options {
  std::string model;
  bool decode = false;
  bool skip_special = false;
  bool add_special = false;
  bool chat = false;
  bool no_generation_prompt = false;
  std::string chat_date;
};

Json EncodeLine(const Tokenizer& tokenizer, const Json& value, bool add_special) {
  if (!value.is_string()) throw UsageError("expected a JSON string");
  const auto& text = value.get_ref<const std::string&>();
  return add_special ? tokenizer.EncodeWithSpecials(text) : tokenizer.Encode(text);
}

Json DecodeLine(const Tokenizer& tokenizer, const Json& value, bool skip_special) {
  if (!value.is_array()) throw UsageError("expected a JSON array of token ids");
  std::vector<int32_t> ids;
  for (const Json& id : value) {
    const bool in_range = id.is_number_unsigned() &&
                          id.get<uint64_t>() < static_cast<uint64_t>(tokenizer.vocab_size());
    if (!in_range) {
      throw UsageError("expected ids from 0 to " + std::to_string(tokenizer.vocab_size() - 1) +
                       ", found " + Dump(id));
    }
    ids.push_back(id.get<int32_t>());
  }
  return tokenizer.Decode(ids, skip_special);
}

// Messages, or an object of them and all else that the template is to know.
Json ChatLine(const Tokenizer& tokenizer, ChatPrompts& chat, const std::string& line,
              bool generation_prompt) {
  const OrderedJson value = OrderedJson::parse(line, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw UsageError("expected one JSON value a line");
  const std::string text = chat.Render(ReadChatRequest(value, generation_prompt));
  return {{"text", text}, {"ids", tokenizer.Encode(text)}};
}

Json AnswerLine(const Tokenizer& tokenizer, ChatPrompts& chat, const std::string& line,
                const Options& options) {
  if (options.chat) return ChatLine(tokenizer, chat, line, !options.no_generation_prompt);
  const Json value = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw UsageError("expected one JSON value a line");
  if (options.decode) return DecodeLine(tokenizer, value, options.skip_special);
  return EncodeLine(tokenizer, value, options.add_special);
}

void Tokenize(const Options& options) {
  const auto tokenizer = Tokenizer::Load(std::filesystem::path(options.model) / "tokenizer.json");
  ChatPrompts chat(options.model, ChatDateOrToday(options.chat_date, "--chat-date"));
  if (options.chat) chat.Load();
  int64_t number = 0, failed = 0, first_failed = 0;
  std::string line;
  while (std::getline(std::cin, line)) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json answer;
    try {
      answer = AnswerLine(*tokenizer, chat, line, options);
    } catch (const Error& error) {
      answer = {{"error", error.what()}};
      if (failed++ == 0) first_failed = number;
    }
    // Flushed a line, so that a program can hold a conversation through pipes.
    if (!(std::cout << Dump(answer) << std::endl)) throw RunError("cannot write to stdout");
  }
  if (failed > 0) {
    throw FileError("stdin", "line " + std::to_string(first_failed),
                    std::to_string(failed) + " of " + std::to_string(number) +
                        " lines failed; each says why in the output");
  }
}

}  // namespace

void AddTokenizeCommand(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "tokenize", "Turn text into token ids, or back: one JSON string (or array) a line on stdin");
  command->footer(
      "With --chat a line is an array of messages, or {\"messages\", \"tools\", …} whose other "
      "keys go to the\n"
      "model's chat template as they are (\"enable_thinking\", …). The answer is {\"text\", "
      "\"ids\"}.");
  command->add_option("--model", options->model, "a folder with tokenizer.json")->required();
  CLI::Option* decode = command->add_flag("--decode", options->decode, "ids to text");
  command
      ->add_flag("--skip-special", options->skip_special, "leave out special tokens (EOS, padding)")
      ->needs(decode);
  command
      ->add_flag("--add-special", options->add_special,
                 "add what the tokenizer puts around a text (BOS, EOS), as prompts get it before "
                 "them")
      ->excludes(decode);
  CLI::Option* chat =
      command->add_flag("--chat", options->chat, "messages to text and ids, by the chat template")
          ->excludes(decode);
  command
      ->add_flag("--no-generation-prompt", options->no_generation_prompt,
                 "end behind the last message, not where the answer begins")
      ->needs(chat);
  command
      ->add_option("--chat-date", options->chat_date,
                   "the day (YYYY-MM-DD) for templates that print today's (default: today)")
      ->needs(chat);
  command->callback([options] { Tokenize(*options); });
}

}  // namespace hone
