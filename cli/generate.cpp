// hone generate: completes the prompts of a file.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "cli/command.h"
#include "cli/load_policy.h"
#include "cli/result_lines.h"
#include "common/error.h"
#include "common/log.h"

namespace hone {
namespace {

struct GenerateFlags {
  PolicyFlags policy;
  SamplingFlags sampling;
  ChatFlags chat;
  std::string prompts;
  int32_t num_generations = 1;
  std::string output;
};

std::vector<int32_t> ReadPrompt(const RowPlace& place, const std::string& source,
                                const ModelFolder& folder, ChatPrompts& chat) {
  const Json json = ParseRow(place, source);
  const bool text = json.contains("prompt"), ids = json.contains("tokens"),
             messages = json.contains("messages");
  if (text + ids + messages > 1) {
    place.Fail("has more than one of \"prompt\", \"messages\" and \"tokens\": give one");
  }
  if (!text && !ids && !messages) {
    place.Fail("expected \"prompt\" (text), \"messages\" or \"tokens\" (ids), found none of them");
  }
  std::vector<int32_t> tokens =
      text       ? ReadPromptText(place, "prompt", json.at("prompt"), folder)
      : messages ? ReadMessages(place, source, chat, folder)
                 : ReadTokenIds(place, "tokens", json.at("tokens"), folder.config.vocab_size);
  if (tokens.empty()) place.Fail("the prompt is empty");
  if (static_cast<int64_t>(tokens.size()) >= folder.config.max_position_embeddings) {
    place.Fail(fmt::format(
        "the prompt has {} tokens, which leaves no room for a completion: the model has {} "
        "positions ({})",
        tokens.size(), folder.config.max_position_embeddings, folder.config.positions_key));
  }
  return tokens;
}

std::vector<std::vector<int32_t>> ReadPromptLines(const std::string& path,
                                                  const ModelFolder& folder, ChatPrompts chat) {
  std::vector<std::vector<int32_t>> prompts;
  ForEachRow(path, [&](const RowPlace& place, const std::string& text) {
    prompts.push_back(ReadPrompt(place, text, folder, chat));
  });
  if (prompts.empty()) throw FileError(path, "", "expected at least one prompt, found none");
  return prompts;
}

// No more cache than the longest prompt with the longest completion can need.
EngineLimits FitLimits(const std::vector<std::vector<int32_t>>& prompts, const GenerateFlags& flags,
                       const ModelFolder& folder) {
  size_t longest = 0;
  for (const auto& prompt : prompts) longest = std::max(longest, prompt.size());
  EngineLimits limits;
  limits.max_length = static_cast<int32_t>(
      std::min(static_cast<int64_t>(longest) + std::max(flags.sampling.params.max_tokens, 0),
               folder.config.max_position_embeddings));
  limits.max_sequences = static_cast<int32_t>(std::min<int64_t>(
      limits.max_sequences, static_cast<int64_t>(prompts.size()) * flags.num_generations));
  return limits;
}

void WriteGroup(const GenerationResult& result, const ModelFolder& folder, ResultLines* lines) {
  for (size_t sample = 0; sample < result.completions.size(); ++sample) {
    const Completion& completion = result.completions[sample];
    lines->Write({{"index", result.id},
                  {"sample", sample},
                  {"completion", CompletionText(folder, completion.tokens)},
                  {"tokens", completion.tokens},
                  {"logprobs", completion.logprobs},
                  {"finish_reason", FinishReasonName(completion.finish_reason)}});
  }
}

void RunGenerate(const GenerateFlags& flags) {
  if (flags.num_generations < 1) throw UsageError("--num-generations: expected at least 1");
  const LoadedPolicy policy = LoadPolicy(flags.policy);
  const GenerationParams params = MakeGenerationParams(flags.sampling, policy.folder);
  const auto prompts =
      ReadPromptLines(flags.prompts, policy.folder, MakeChatPrompts(flags.chat, policy.folder));
  Engine engine(*policy.backend, policy.folder.tokenizer.get(), params,
                FitLimits(prompts, flags, policy.folder));
  ResultLines lines(flags.output);
  for (size_t index = 0; index < prompts.size(); ++index) {
    engine.Submit({index, index, prompts[index], flags.num_generations});
  }
  std::map<uint64_t, GenerationResult> early;  // done before one that comes first in the file
  uint64_t next = 0;
  while (engine.Step()) {
    for (GenerationResult& result : engine.TakeResults())
      early.emplace(result.id, std::move(result));
    for (auto it = early.find(next); it != early.end(); it = early.find(++next)) {
      WriteGroup(it->second, policy.folder, &lines);
      early.erase(it);
    }
  }
  lines.Finish();
  const EngineStats stats = engine.stats();
  spdlog::debug("{} prompts, {} tokens drawn in {} forwards, {} preemptions", prompts.size(),
                stats.drawn, stats.forwards, stats.preemptions);
}

}  // namespace

void AddGenerateCommand(CLI::App& program) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* command = program.add_subcommand("generate", "Complete the prompts of a file");
  command->footer(
      "A prompt line is {\"prompt\": text}, {\"messages\": […]} or {\"tokens\": [ids]}. A result "
      "line is {\"index\", "
      "\"sample\",\n"
      "\"completion\", \"tokens\", \"logprobs\", \"finish_reason\"}, in order of index and sample. "
      "A completion's\n"
      "tokens depend on the weights, the prompt, the sampling flags, --seed, index and sample "
      "alone.");
  AddPolicyFlags(*command, &flags->policy);
  command->add_option("--prompts", flags->prompts, "JSON Lines, a JSON array or Parquet")
      ->required();
  command->add_option("--num-generations", flags->num_generations, "samples of each prompt")
      ->capture_default_str();
  AddSamplingFlags(*command, &flags->sampling);
  AddChatFlags(*command, &flags->chat);
  command->add_option("--output", flags->output, "file for the result lines (default: stdout)");
  command->callback([flags] { RunGenerate(*flags); });
}

}  // namespace hone
