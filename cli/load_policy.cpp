#include "cli/load_policy.h"

#include <fmt/format.h>

#include "common/error.h"
#include "policy/model/context_length.h"

namespace hone {

void AddPolicyFlags(CLI::App& command, PolicyFlags* flags) {
  command.add_option("--model", flags->model, "Hugging Face folder of the policy")->required();
  command.add_option("--backend", flags->backend, "exact or torch")->capture_default_str();
  command.add_option("--device", flags->device, "cpu, or cuda with --backend torch")
      ->capture_default_str();
  command
      .add_option("--dtype", flags->dtype,
                  "f32, or bf16: matrices are rounded to it, arithmetic is in fp32")
      ->capture_default_str();
  command.add_option("--threads", flags->threads, "0: all cores; changes no bit of any result")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--float64", flags->float64,
                   "compute in double, with --backend torch: the reference");
  command
      .add_option("--context-length", flags->context_length,
                  "positions that a sequence may have; 0: as many as the model has by itself. More "
                  "than longrope's original length takes its long factors throughout")
      ->capture_default_str();
}

LoadedPolicy LoadPolicy(const PolicyFlags& flags) {
  LoadedPolicy policy;
  policy.folder = LoadModelFolder(flags.model, /*with_weights=*/true, flags.threads);
  SetContextLength(flags.context_length, &policy.folder.config);
  BackendOptions options;
  options.name = flags.backend;
  options.device = flags.device;
  options.dtype = flags.dtype;
  options.threads = flags.threads;
  options.float64 = flags.float64;
  policy.backend = MakeBackend(options, policy.folder.config);
  policy.backend->SetWeights(policy.folder.weights);
  return policy;
}

void AddSamplingFlags(CLI::App& command, SamplingFlags* flags) {
  GenerationParams& params = flags->params;
  SamplingParams& sampling = params.sampling;
  flags->temperature = command.add_option("--temperature", sampling.temperature, "0 is greedy")
                           ->capture_default_str();
  command
      .add_option("--top-p", sampling.top_p,
                  "smallest set of tokens reaching this probability; 1: off")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "most likely tokens kept; 0: off")
      ->capture_default_str();
  command
      .add_option("--min-p", sampling.min_p, "least probability, relative to the likeliest; 0: off")
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty,
                  "on tokens seen before; 1: off")
      ->capture_default_str();
  command.add_flag("--greedy", sampling.greedy, "the most likely token each time");
  command.add_option("--max-tokens", params.max_tokens, "longest completion")
      ->capture_default_str();
  command
      .add_option("--stop", params.stop,
                  "text that ends a completion (kept in it); may be repeated")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_flag("--ignore-eos", params.ignore_eos, "go on after the end-of-sequence token");
  command.add_option("--seed", params.seed, "of all draws")->capture_default_str();
}

GenerationParams MakeGenerationParams(const SamplingFlags& flags, const ModelFolder& folder) {
  GenerationParams params = flags.params;
  if (params.sampling.temperature == 0) {
    params.sampling.greedy = true;
    params.sampling.temperature = 1;
  }
  params.eos_token_ids = folder.generation.eos_token_ids;
  CheckSampling(params.sampling);
  return params;
}

void AddChatFlags(CLI::App& command, ChatFlags* flags) {
  command.add_option("--chat-date", flags->date,
                     "of \"messages\": the day (YYYY-MM-DD) for chat templates that print today's "
                     "(default: today)");
}

ChatPrompts MakeChatPrompts(const ChatFlags& flags, const ModelFolder& folder) {
  return ChatPrompts(folder.path, ChatDateOrToday(flags.date, "--chat-date"));
}

std::vector<int32_t> ReadTokenIds(const RowPlace& place, const std::string& key, const Json& json,
                                  int64_t vocab_size) {
  if (!json.is_array()) {
    place.Fail(
        fmt::format("\"{}\": expected an array of token ids, found {}", key, json.type_name()));
  }
  std::vector<int32_t> tokens;
  tokens.reserve(json.size());
  for (const Json& id : json) {
    if (!id.is_number_integer() || id < 0 || id >= vocab_size) {
      place.Fail(fmt::format("\"{}\": expected token ids from 0 to {}, found {}", key,
                             vocab_size - 1, Dump(id)));
    }
    tokens.push_back(id.get<int32_t>());
  }
  return tokens;
}

namespace {

// `encode` is Tokenizer's for this kind of text.
std::vector<int32_t> ReadTextBy(std::vector<int32_t> (Tokenizer::*encode)(std::string_view) const,
                                const RowPlace& place, const std::string& key, const Json& json,
                                const ModelFolder& folder) {
  if (!json.is_string()) {
    place.Fail(fmt::format("\"{}\": expected text, found {}", key, json.type_name()));
  }
  if (folder.tokenizer == nullptr) {
    place.Fail(fmt::format("\"{}\" is text, but {} has no tokenizer.json: give token ids", key,
                           folder.path.string()));
  }
  std::vector<int32_t> tokens = (*folder.tokenizer.*encode)(json.get_ref<const std::string&>());
  for (const int32_t token : tokens) {
    if (token >= folder.config.vocab_size) {
      place.Fail(
          fmt::format("\"{}\": the tokenizer gives token {}, but the model has tokens 0 to {} only",
                      key, token, folder.config.vocab_size - 1));
    }
  }
  return tokens;
}

}  // namespace

std::vector<int32_t> ReadPromptText(const RowPlace& place, const std::string& key, const Json& json,
                                    const ModelFolder& folder) {
  return ReadTextBy(&Tokenizer::EncodePrompt, place, key, json, folder);
}

std::vector<int32_t> ReadText(const RowPlace& place, const std::string& key, const Json& json,
                              const ModelFolder& folder) {
  return ReadTextBy(&Tokenizer::Encode, place, key, json, folder);
}

std::vector<int32_t> ReadMessages(const RowPlace& place, const std::string& text, ChatPrompts& chat,
                                  const ModelFolder& folder) {
  std::string prompt;
  try {
    prompt = chat.Prompt(OrderedJson::parse(text), /*system_prompt=*/"");  // keys in their order
  } catch (const Error& error) {
    place.Fail(error.what());
  }
  return ReadText(place, "messages", prompt, folder);
}

OrderedJson CompletionText(const ModelFolder& folder, const std::vector<int32_t>& tokens) {
  if (folder.tokenizer == nullptr) return nullptr;
  return folder.tokenizer->Decode(tokens, /*skip_special=*/true);
}

std::string FinishReasonName(FinishReason reason) {
  return reason == FinishReason::kStop ? "stop" : "length";
}

}  // namespace hone
