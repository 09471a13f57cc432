// hone eval: pass@k, mean reward and mean length of a policy on held-out problems.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>

#include "cli/command.h"
#include "cli/load_policy.h"
#include "cli/result_lines.h"
#include "common/error.h"
#include "reward/evaluate.h"
#include "reward/options.h"
#include "reward/scorer.h"
#include "rollout/prompts.h"

namespace hone {
namespace {

struct EvalFlags {
  PolicyFlags policy;
  SamplingFlags sampling;
  ChatFlags chat;
  std::vector<std::string> data;
  std::string output;
  DataSection columns;
  std::vector<std::string> verifiers, settings;
  EvalOptions options;
  int64_t max_prompt_length = 0, limit = 0;
};

// NAME or NAME:WEIGHT.
RewardConfig ParseVerifier(const std::string& text) {
  RewardConfig reward;
  reward.verifier = text;
  // Of a URL, a colon before the path is the port's.
  const size_t scheme = text.find("://");
  const size_t first = scheme == std::string::npos ? 0 : text.find('/', scheme + 3);
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon >= first) {
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, reward.weight);
    if (error != std::errc() || rest != end) {
      throw UsageError(fmt::format(
          "--verifier: expected NAME or NAME:WEIGHT with a number as weight, found {}", text));
    }
    reward.verifier = text.substr(0, colon);
  }
  return reward;
}

std::vector<RewardConfig> ParseRewards(const EvalFlags& flags) {
  std::vector<RewardConfig> rewards;
  for (const std::string& text : flags.verifiers) {
    rewards.push_back(ParseVerifier(text));
    rewards.back().on_error = RewardConfig::OnError::kZero;  // what was not judged is not solved
  }
  rewards.front().options = ParseOptions(flags.settings);  // of the first
  for (RewardConfig& reward : rewards) UseAnswerColumn(flags.columns.answer_column, &reward);
  return rewards;
}

std::vector<PromptRow> ReadRows(const EvalFlags& flags, const ModelFolder& folder) {
  if (folder.tokenizer == nullptr) {
    throw FileError(folder.path.string(), "tokenizer.json",
                    "is missing: verifiers judge the text of completions");
  }
  // A completion needs one position at least.
  int64_t longest = folder.config.max_position_embeddings - 1;
  if (flags.max_prompt_length > 0) longest = std::min(longest, flags.max_prompt_length);
  ChatPrompts chat = MakeChatPrompts(flags.chat, folder);
  std::vector<PromptRow> rows =
      ReadPrompts(flags.data, flags.columns, *folder.tokenizer, chat, longest).rows;
  if (flags.limit > 0 && flags.limit < static_cast<int64_t>(rows.size())) rows.resize(flags.limit);
  return rows;
}

void AddInterval(const std::string& name, const Interval& interval, OrderedJson* json) {
  (*json)[name] = interval.value;
  (*json)[name + "_ci"] = {interval.low, interval.high};
}

OrderedJson Summary(const EvalResult& result, bool greedy) {
  OrderedJson json;
  for (const auto& [k, interval] : result.pass_at_k)
    AddInterval(fmt::format("pass@{}", k), interval, &json);
  AddInterval("reward", result.reward, &json);
  const auto& names = result.groups.front().verifier_names;
  const size_t samples = result.groups.front().rollout.completions.size();
  for (size_t v = 0; v < names.size(); ++v) {
    double sum = 0;
    for (const ScoredGroup& group : result.groups) {
      for (const float reward : group.rewards_VG[v]) sum += reward;
    }
    json["rewards/" + names[v] + "/mean"] =
        sum / static_cast<double>(samples * result.groups.size());
  }
  int64_t errors = 0;
  for (const ScoredGroup& group : result.groups) errors += std::ssize(group.errors);
  json["errors"] = errors;
  AddInterval("length", result.length, &json);
  json["prompts"] = result.prompts;
  json["num_generations"] = samples;
  json["greedy"] = greedy;
  return json;
}

void WriteCompletions(const EvalResult& result, const ModelFolder& folder,
                      const std::string& output) {
  ResultLines lines(output);
  for (const ScoredGroup& group : result.groups) {
    for (size_t sample = 0; sample < group.rollout.completions.size(); ++sample) {
      const Completion& completion = group.rollout.completions[sample];
      OrderedJson rewards = OrderedJson::object();
      for (size_t v = 0; v < group.verifier_names.size(); ++v) {
        rewards[group.verifier_names[v]] = group.rewards_VG[v][sample];
      }
      lines.Write({{"index", group.rollout.task.group_id},
                   {"sample", sample},
                   {"prompt", group.rollout.task.prompt},
                   {"completion", CompletionText(folder, completion.tokens)},
                   {"tokens", completion.tokens},
                   {"finish_reason", FinishReasonName(completion.finish_reason)},
                   {"rewards", rewards},
                   {"reward", group.rewards_G[sample]}});
    }
  }
  lines.Finish();
}

// One greedy completion a prompt when only pass@1 is asked for and nothing says otherwise.
bool GreedyByDefault(const EvalFlags& flags) {
  const bool only_one = flags.options.k == std::vector<int32_t>{1};
  return only_one && flags.options.num_generations == 0 && flags.sampling.temperature->count() == 0;
}

// As the keys of these names in [data].
void AddDataFlags(CLI::App& command, DataSection* data) {
  command.add_option("--prompt-column", data->prompt_column)->capture_default_str();
  command.add_option("--prompt-template", data->prompt_template,
                     "the prompt with {column}s in it, instead of --prompt-column");
  command
      .add_option("--answer-column", data->answer_column,
                  "where the right answer stands, for verifiers that compare")
      ->capture_default_str();
  command
      .add_option("--answer-from", data->answer_from,
                  "the answer within that column: column, gsm8k or boxed")
      ->capture_default_str()
      ->check(CLI::IsMember({"column", "gsm8k", "boxed"}));
  command.add_option("--on-error", data->on_error, "at a row that cannot be used: stop or skip")
      ->capture_default_str()
      ->check(CLI::IsMember({"stop", "skip"}));
}

void RunEval(EvalFlags flags) {
  const std::vector<RewardConfig> rewards = ParseRewards(flags);
  // What is wrong with a verifier is said before the weights are read.
  const Verifiers verifiers = MakeVerifiers(rewards, flags.sampling.params.seed);
  const LoadedPolicy policy = LoadPolicy(flags.policy);
  const std::vector<PromptRow> rows = ReadRows(flags, policy.folder);
  EvalOptions& options = flags.options;
  options.generation = MakeGenerationParams(flags.sampling, policy.folder);
  if (GreedyByDefault(flags)) options.generation.sampling.greedy = true;
  const Scorer scorer(rewards, verifiers, policy.folder.tokenizer);
  const EvalResult result = Evaluate(*policy.backend, policy.folder, rows, scorer, options);
  if (!flags.output.empty()) WriteCompletions(result, policy.folder, flags.output);
  ResultLines("").Write(Summary(result, options.generation.sampling.greedy));
}

}  // namespace

void AddEvalCommand(CLI::App& program) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* command =
      program.add_subcommand("eval", "pass@k, mean reward and length on held-out problems");
  command->footer(
      "A sample passes when the first verifier gives it at least 1. Prints one JSON object: "
      "\"pass@1\" and so on,\n"
      "\"reward\", \"length\", each with a 95 % bootstrap interval over prompts as \"…_ci\": [low, "
      "high].\n"
      "Greedy when the only k is 1 and neither --temperature nor --num-generations is given; else "
      "sampled.");
  AddPolicyFlags(*command, &flags->policy);
  command
      ->add_option(
          "--data", flags->data,
          "problems: JSON Lines, a JSON array or Parquet; a file or a pattern (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  AddDataFlags(*command, &flags->columns);
  command->add_option("--system-prompt", flags->columns.system_prompt,
                      "text put before each prompt");
  command
      ->add_option("--verifier", flags->verifiers,
                   "NAME or NAME:WEIGHT; may be repeated, the first says what passes")
      ->required()
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--set", flags->settings,
                   "KEY=VALUE: an option of the first verifier; may be repeated")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--k", flags->options.k, "of pass@k, such as 1,8")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--num-generations", flags->options.num_generations,
                      "samples a prompt (default: the largest k)");
  AddSamplingFlags(*command, &flags->sampling);
  AddChatFlags(*command, &flags->chat);
  command
      ->add_option("--max-prompt-length", flags->max_prompt_length,
                   "a longer prompt is an error; 0: what the model takes")
      ->capture_default_str();
  command->add_option("--limit", flags->limit, "only the first N problems; 0: all")
      ->capture_default_str();
  command->add_option("--output", flags->output,
                      "file for every completion with its rewards, as JSON Lines");
  command->callback([flags] { RunEval(*flags); });
}

}  // namespace hone
