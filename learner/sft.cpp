#include "learner/sft.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "learner/run_state.h"
#include "policy/text/chat_prompts.h"
#include "rollout/prompts.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

// Reads one line's fields; errors name the line.
class LineReader {
 public:
  LineReader(const fs::path& path, int64_t number, const Json& json)
      : path_(path), number_(number), json_(json) {
    if (!json.is_object()) Fail("expected a JSON object");
  }

  [[noreturn]] void Fail(const std::string& message) const {
    throw FileError(path_.string(), fmt::format("line {}", number_), message);
  }

  bool Has(const std::string& key) const { return json_.contains(key); }

  std::string Text(const std::string& key) const {
    const auto found = json_.find(key);
    if (found == json_.end() || !found->is_string())
      Fail(fmt::format("expected \"{}\": text", key));
    return found->get<std::string>();
  }

  std::vector<int32_t> Tokens(const std::string& key, int64_t vocabulary) const {
    const auto found = json_.find(key);
    if (found == json_.end() || !found->is_array())
      Fail(fmt::format("expected \"{}\": an array of token ids", key));
    std::vector<int32_t> tokens;
    for (const Json& token : *found) {
      if (!token.is_number_integer() || token.get<int64_t>() < 0 ||
          token.get<int64_t>() >= vocabulary) {
        Fail(fmt::format("expected token ids from 0 to {} in \"{}\"", vocabulary - 1, key));
      }
      tokens.push_back(token.get<int32_t>());
    }
    return tokens;
  }

 private:
  const fs::path& path_;
  int64_t number_;
  const Json& json_;
};

const Tokenizer& NeedTokenizer(const LineReader& line, const ModelFolder& model) {
  if (model.tokenizer == nullptr) {
    line.Fail(fmt::format("is text, but {} has no tokenizer.json", model.path.string()));
  }
  return *model.tokenizer;
}

bool IsEnd(const ModelFolder& model, int32_t token) {
  const std::vector<int32_t>& ends = model.generation.eos_token_ids;
  return std::find(ends.begin(), ends.end(), token) != ends.end();
}

// A completion ends with the model's EOS, where the model is to stop.
void EndCompletion(const ModelFolder& model, std::vector<int32_t>* completion) {
  if (model.generation.eos_token_ids.empty()) {
    throw FileError(
        model.path.string(), "eos_token_id",
        "expected one in generation_config.json or config.json: a demonstration ends with it");
  }
  if (completion->empty() || !IsEnd(model, completion->back())) {
    completion->push_back(model.generation.eos_token_ids.front());
  }
}

// Chat templates put a newline behind the EOS of a turn: the model stops before it.
void CutBehindEnd(const ModelFolder& model, std::vector<int32_t>* completion) {
  for (size_t size = completion->size(); size > 0; --size) {
    if (IsEnd(model, (*completion)[size - 1])) {
      completion->resize(size);
      return;
    }
    const std::string_view bytes = model.tokenizer->Bytes((*completion)[size - 1]);
    if (bytes.find_first_not_of(" \t\r\n") != std::string_view::npos) return;
  }
}

// The messages with their last turn, or a "completion" beside them, as what is to be learned.
Learner::Example ReadChatExample(const LineReader& line, const OrderedJson& json,
                                 const DataSection& data, const ModelFolder& model,
                                 ChatPrompts& chat) {
  const Tokenizer& tokenizer = NeedTokenizer(line, model);
  Learner::Example example;
  try {
    if (line.Has("completion")) {
      example.prompt_tokens = tokenizer.Encode(chat.Prompt(json, data.system_prompt));
      example.completion_tokens = tokenizer.Encode(line.Text("completion"));
    } else {
      const ChatDemonstration shown = chat.Demonstration(json, data.system_prompt);
      example.prompt_tokens = tokenizer.Encode(shown.prompt);
      example.completion_tokens = tokenizer.Encode(shown.completion);
      CutBehindEnd(model, &example.completion_tokens);
    }
  } catch (const Error& error) {
    line.Fail(error.what());
  }
  EndCompletion(model, &example.completion_tokens);
  return example;
}

Learner::Example ReadExample(const LineReader& line, const std::string& text,
                             const DataSection& data, const ModelFolder& model, ChatPrompts& chat) {
  Learner::Example example;
  if (line.Has("prompt_tokens")) {
    example.prompt_tokens = line.Tokens("prompt_tokens", model.config.vocab_size);
    example.completion_tokens = line.Tokens("completion_tokens", model.config.vocab_size);
  } else if (line.Has("messages") && !line.Has(data.prompt_column)) {
    example = ReadChatExample(line, OrderedJson::parse(text), data, model, chat);
  } else {
    const Tokenizer& tokenizer = NeedTokenizer(line, model);
    example.prompt_tokens = tokenizer.Encode(data.system_prompt + line.Text(data.prompt_column));
    example.completion_tokens = tokenizer.Encode(line.Text("completion"));
    EndCompletion(model, &example.completion_tokens);
  }
  if (example.prompt_tokens.empty()) line.Fail("expected a prompt of at least one token");
  if (example.completion_tokens.empty()) line.Fail("expected a completion of at least one token");
  const auto length =
      static_cast<int64_t>(example.prompt_tokens.size() + example.completion_tokens.size());
  if (length > model.config.max_position_embeddings) {
    line.Fail(fmt::format("has {} tokens, the model has {} positions (max_position_embeddings)",
                          length, model.config.max_position_embeddings));
  }
  return example;
}

}  // namespace

std::vector<Learner::Example> ReadDemonstrations(const fs::path& path, const DataSection& data,
                                                 const ModelFolder& model) {
  std::vector<Learner::Example> examples;
  ChatPrompts chat(model.path, ChatDateOrNone(data.chat_date, "data.chat_date"));
  ForEachLine(path, [&](const std::string& text, int64_t number) {
    const Json json = ParseJsonLine(text, path, number);
    examples.push_back(ReadExample(LineReader(path, number, json), text, data, model, chat));
  });
  if (examples.empty()) throw FileError(path.string(), "", "expected demonstrations, found none");
  return examples;
}

SftOutcome TrainSft(const Config& config, const fs::path& folder, bool resume, int threads,
                    const OnStep& on_step, const std::atomic<bool>* interrupt) {
  const ModelFolder model = LoadModelFolder(config.policy.model);
  const std::vector<Learner::Example> examples =
      ReadDemonstrations(config.data.train, config.data, model);
  BackendOptions options;
  options.name = config.policy.backend;
  options.device = config.policy.device;
  options.threads = threads;
  const std::unique_ptr<Backend> backend = MakeBackend(options, model.config);
  Learner learner(config, model, *backend, nullptr, threads);
  RunState run(config, folder, resume, learner);
  PromptOrder order(config.run.seed, static_cast<int64_t>(examples.size()), config.data.shuffle);
  const auto steps = static_cast<uint64_t>(config.run.steps);
  SftOutcome outcome;
  while (learner.state().step < steps && !outcome.interrupted) {
    const uint64_t first = learner.state().step * static_cast<uint64_t>(config.sft.batch_size);
    std::vector<Learner::Example> batch;
    for (int64_t i = 0; i < config.sft.batch_size; ++i) {
      batch.push_back(examples[static_cast<size_t>(order.Row(first + static_cast<uint64_t>(i)))]);
    }
    Metrics metrics = learner.SftStep(batch);
    metrics["step_time"] = metrics["time/learn"];
    metrics["rss_bytes"] = static_cast<double>(ResidentBytes());
    run.Write(learner.state().step, metrics);
    run.SaveWhenDue();
    if (on_step) on_step(learner.state().step, metrics);
    outcome.interrupted = interrupt != nullptr && interrupt->load() && learner.state().step < steps;
  }
  outcome.checkpoint = run.Save();
  outcome.steps = learner.state().step;
  return outcome;
}

}  // namespace hone
