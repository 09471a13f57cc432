// What the commands that run a policy share: their flags, and loading it.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "policy/backend.h"
#include "policy/files/model_folder.h"
#include "policy/text/chat_prompts.h"
#include "rollout/data_file.h"
#include "rollout/engine.h"

namespace hone {

// --model, --backend, --device, --dtype, --threads, --float64, --context-length.
struct PolicyFlags {
  std::string model;
  std::string backend = "exact";
  std::string device = "cpu";
  std::string dtype = "f32";
  int threads = 0;
  bool float64 = false;
  int64_t context_length = 0;
};
void AddPolicyFlags(CLI::App& command, PolicyFlags* flags);

// A model folder and a backend that holds its weights.
struct LoadedPolicy {
  ModelFolder folder;
  std::unique_ptr<Backend> backend;
};
LoadedPolicy LoadPolicy(const PolicyFlags& flags);

// --temperature, --top-p, --top-k, --min-p, --repetition-penalty, --greedy, --max-tokens, --stop,
// --ignore-eos, --seed. vLLM's and TRL's defaults.
struct SamplingFlags {
  GenerationParams params;
  CLI::Option* temperature = nullptr;  // to ask whether it was given
};
void AddSamplingFlags(CLI::App& command, SamplingFlags* flags);
// With the model's EOS; a temperature of 0 means greedy, as vLLM has it. Throws UsageError.
GenerationParams MakeGenerationParams(const SamplingFlags& flags, const ModelFolder& folder);

// --chat-date.
struct ChatFlags {
  std::string date;
};
void AddChatFlags(CLI::App& command, ChatFlags* flags);
// Today's date where none is given.
ChatPrompts MakeChatPrompts(const ChatFlags& flags, const ModelFolder& folder);

// The ids in `json` (the value of `key`). Throws FileError when it is no array of ids from 0 to
// vocab_size - 1.
std::vector<int32_t> ReadTokenIds(const RowPlace& place, const std::string& key, const Json& json,
                                  int64_t vocab_size);
// The text at `key` as tokens: a prompt's with the BOS that the tokenizer puts before a text.
// Throws FileError when it is no text, or the model has no tokenizer.
std::vector<int32_t> ReadPromptText(const RowPlace& place, const std::string& key, const Json& json,
                                    const ModelFolder& folder);
std::vector<int32_t> ReadText(const RowPlace& place, const std::string& key, const Json& json,
                              const ModelFolder& folder);

// The prompt of a line with "messages", as tokens. `text` is the row. Throws FileError.
std::vector<int32_t> ReadMessages(const RowPlace& place, const std::string& text, ChatPrompts& chat,
                                  const ModelFolder& folder);

// The text of a completion, special tokens (EOS) left out; null without a tokenizer.
OrderedJson CompletionText(const ModelFolder& folder, const std::vector<int32_t>& tokens);
std::string FinishReasonName(FinishReason reason);

}  // namespace hone
