#include "learner/sft.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/error.h"
#include "common/json.h"
#include "learner/policy_folder.h"
#include "learner/run_state.h"
#include "policy/text/chat_prompts.h"
#include "rollout/prompt_template.h"
#include "rollout/prompts.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

constexpr char kNoDemonstration[] = "no demonstration";

// Reads one row's fields; errors name the row.
class RowReader {
 public:
  RowReader(const RowPlace& place, const Json& json) : place_(place), json_(json) {}

  [[noreturn]] void Fail(const std::string& message,
                         const std::string& reason = kNoDemonstration) const {
    place_.Fail(message, reason);
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

  std::string Prompt(const DataSection& data, const PromptTemplate& prompt_template) const {
    return data.system_prompt + (prompt_template.empty() ? Text(data.prompt_column)
                                                         : prompt_template.Fill(place_, json_));
  }

 private:
  const RowPlace& place_;
  const Json& json_;
};

const Tokenizer& NeedTokenizer(const ModelFolder& model) {
  if (model.tokenizer == nullptr) {
    throw FileError(model.path.string(), "tokenizer.json", "is missing: demonstrations are text");
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
    throw FileError(model.path.string(), "eos_token_id",
                    "expected one in generation_config.json or config.json, or an eos_token in "
                    "tokenizer_config.json: a demonstration ends with it");
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
Learner::Example ReadChatExample(const RowReader& row, const OrderedJson& json,
                                 const DataSection& data, const ModelFolder& model,
                                 ChatPrompts& chat) {
  const Tokenizer& tokenizer = NeedTokenizer(model);
  chat.Load();
  Learner::Example example;
  try {
    if (row.Has("completion")) {
      example.prompt_tokens = tokenizer.Encode(chat.Prompt(json, data.system_prompt));
      example.completion_tokens = tokenizer.Encode(row.Text("completion"));
    } else {
      const ChatDemonstration shown = chat.Demonstration(json, data.system_prompt);
      example.prompt_tokens = tokenizer.Encode(shown.prompt);
      example.completion_tokens = tokenizer.Encode(shown.completion);
      CutBehindEnd(model, &example.completion_tokens);
    }
  } catch (const RowError&) {
    throw;
  } catch (const Error& error) {  // the template's, too: of these messages
    row.Fail(error.what());
  }
  EndCompletion(model, &example.completion_tokens);
  return example;
}

Learner::Example ReadExample(const RowReader& row, const std::string& text, const DataSection& data,
                             const PromptTemplate& prompt_template, const ModelFolder& model,
                             ChatPrompts& chat) {
  Learner::Example example;
  if (row.Has("prompt_tokens")) {
    example.prompt_tokens = row.Tokens("prompt_tokens", model.config.vocab_size);
    example.completion_tokens = row.Tokens("completion_tokens", model.config.vocab_size);
  } else if (row.Has(data.messages_column) && !row.Has(data.prompt_column) &&
             prompt_template.empty()) {
    example = ReadChatExample(row, ParseChatRow(text, data), data, model, chat);
  } else {
    const Tokenizer& tokenizer = NeedTokenizer(model);
    example.prompt_tokens = tokenizer.EncodePrompt(row.Prompt(data, prompt_template));
    example.completion_tokens = tokenizer.Encode(row.Text("completion"));
    EndCompletion(model, &example.completion_tokens);
  }
  if (example.prompt_tokens.empty()) row.Fail("expected a prompt of at least one token");
  if (example.completion_tokens.empty()) row.Fail("expected a completion of at least one token");
  const auto length =
      static_cast<int64_t>(example.prompt_tokens.size() + example.completion_tokens.size());
  if (length > model.config.max_position_embeddings) {
    row.Fail(fmt::format("has {} tokens, the model has {} positions ({})", length,
                         model.config.max_position_embeddings, model.config.positions_key),
             "too long");
  }
  return example;
}

}  // namespace

Demonstrations ReadDemonstrations(const std::vector<std::string>& files, const DataSection& data,
                                  const ModelFolder& model) {
  const PromptTemplate prompt_template(data.prompt_template);
  ChatPrompts chat(model.path, ChatDateOrNone(data.chat_date, "data.chat_date"));
  Demonstrations demonstrations;
  demonstrations.report =
      ReadDataSet(files, data.on_error, [&](const RowPlace& place, const std::string& text) {
        const Json json = ParseRow(place, text);
        demonstrations.examples.push_back(
            ReadExample(RowReader(place, json), text, data, prompt_template, model, chat));
      });
  return demonstrations;
}

SftOutcome TrainSft(const Config& config, const fs::path& folder, bool resume, int threads,
                    const OnStep& on_step, const std::atomic<bool>* interrupt) {
  const ModelFolder model = LoadPolicyFolder(config.policy);
  const auto [examples, report] = ReadDemonstrations(config.data.train, config.data, model);
  const std::unique_ptr<Backend> backend = MakePolicyBackend(config.policy, model.config, threads);
  Learner learner(config, model, *backend, nullptr, threads);
  RunState run(config, folder, resume, learner);
  WriteDataReport(folder, report);
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
