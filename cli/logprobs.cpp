// hone logprobs: the log-probabilities that the policy gives to tokens that are there already.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "cli/command.h"
#include "cli/load_policy.h"
#include "cli/result_lines.h"
#include "common/error.h"

namespace hone {
namespace {

// Rows of one forward, unless a single line has more.
constexpr int64_t kRowsPerBatch = 4096;

struct LogprobsFlags {
  PolicyFlags policy;
  ChatFlags chat;
  std::string input, output;
  double temperature = 1;
};

// The tokens of one line; log-probabilities are wanted of those from `first` (at least 1) on.
struct Scored {
  std::vector<int32_t> tokens;
  int32_t first = 1;
  int64_t pages() const { return PagesFor(static_cast<int64_t>(tokens.size()), kDefaultPageSize); }
};

// A prompt and its completion are made into tokens each on its own, as they were when one was
// sampled from the other.
Scored JoinCompletion(const RowPlace& place, std::vector<int32_t> prompt,
                      const std::vector<int32_t>& completion) {
  if (prompt.empty())
    place.Fail("the prompt is empty: nothing gives the first token its probability");
  Scored scored;
  scored.first = static_cast<int32_t>(prompt.size());
  scored.tokens = std::move(prompt);
  scored.tokens.insert(scored.tokens.end(), completion.begin(), completion.end());
  return scored;
}

Scored ReadScored(const RowPlace& place, const std::string& source, const ModelFolder& folder,
                  ChatPrompts& chat) {
  const Json json = ParseRow(place, source);
  const int64_t vocab = folder.config.vocab_size;
  Scored scored;
  if (json.contains("tokens")) {
    scored.tokens = ReadTokenIds(place, "tokens", json.at("tokens"), vocab);
    if (scored.tokens.empty()) place.Fail("\"tokens\": expected at least one token, found none");
  } else if (json.contains("prompt_tokens") && json.contains("completion_tokens")) {
    scored = JoinCompletion(
        place, ReadTokenIds(place, "prompt_tokens", json.at("prompt_tokens"), vocab),
        ReadTokenIds(place, "completion_tokens", json.at("completion_tokens"), vocab));
  } else if (json.contains("prompt") && json.contains("completion")) {
    scored = JoinCompletion(place, ReadPromptText(place, "prompt", json.at("prompt"), folder),
                            ReadText(place, "completion", json.at("completion"), folder));
  } else if (json.contains("messages") && json.contains("completion")) {
    scored = JoinCompletion(place, ReadMessages(place, source, chat, folder),
                            ReadText(place, "completion", json.at("completion"), folder));
  } else {
    place.Fail(
        "expected \"tokens\", or \"prompt\" or \"messages\" and \"completion\", or "
        "\"prompt_tokens\" and "
        "\"completion_tokens\"");
  }
  if (static_cast<int64_t>(scored.tokens.size()) > folder.config.max_position_embeddings) {
    place.Fail(fmt::format("has {} tokens; the model has {} positions ({})", scored.tokens.size(),
                           folder.config.max_position_embeddings, folder.config.positions_key));
  }
  return scored;
}

// Whole lines in one batch, each a sequence of its own from position 0 on.
struct Pack {
  Batch batch;
  std::vector<Target> targets;
  std::vector<size_t> targets_of_line;

  bool Fits(const Scored& scored) const {
    return targets_of_line.empty() ||
           batch.rows() + static_cast<int64_t>(scored.tokens.size()) <= kRowsPerBatch;
  }
  void Add(const Scored& scored) {
    const auto length = static_cast<int32_t>(scored.tokens.size());
    const int32_t first_row = batch.rows();
    batch.spans.push_back({first_row, length, 0, static_cast<int32_t>(batch.pages.size())});
    batch.tokens_T.insert(batch.tokens_T.end(), scored.tokens.begin(), scored.tokens.end());
    for (int64_t page = 0; page < scored.pages(); ++page) {
      batch.pages.push_back(static_cast<int32_t>(batch.pages.size()));
    }
    for (int32_t i = scored.first; i < length; ++i) {
      targets.push_back({first_row + i - 1, scored.tokens[i]});
    }
    targets_of_line.push_back(static_cast<size_t>(length - scored.first));
  }
};

template <class T>
void WriteLines(const Pack& pack, const std::vector<T>& logprobs, ResultLines* lines) {
  auto next = logprobs.begin();
  for (const size_t count : pack.targets_of_line) {
    const auto end = next + static_cast<std::ptrdiff_t>(count);
    OrderedJson line;
    line["logprobs"] = std::vector<T>(next, end);
    lines->Write(line);
    next = end;
  }
}

// float or double, as the backend computes them: each reads back to the same bits.
void ScorePack(const Pack& pack, const LogprobsFlags& flags, Backend& backend, KvCache& cache,
               ResultLines* lines) {
  if (flags.policy.float64) {
    std::vector<double> logprobs(pack.targets.size());
    backend.ForwardLogprobsInDouble(pack.batch, cache, pack.targets, flags.temperature, logprobs,
                                    {});
    return WriteLines(pack, logprobs, lines);
  }
  std::vector<float> logprobs(pack.targets.size());
  backend.ForwardLogprobs(pack.batch, cache, pack.targets, static_cast<float>(flags.temperature),
                          /*keep=*/false, logprobs, {});
  WriteLines(pack, logprobs, lines);
}

void RunLogprobs(const LogprobsFlags& flags) {
  using Float = std::numeric_limits<float>;
  if (!(flags.temperature >= Float::min() && flags.temperature <= Float::max())) {
    throw UsageError(
        fmt::format("--temperature: expected a number above 0, as float32 has it, found {}",
                    flags.temperature));
  }
  const LoadedPolicy policy = LoadPolicy(flags.policy);
  ChatPrompts chat = MakeChatPrompts(flags.chat, policy.folder);
  std::vector<Pack> packs(1);
  size_t pages = 1;
  ForEachRow(flags.input, [&](const RowPlace& place, const std::string& text) {
    const Scored scored = ReadScored(place, text, policy.folder, chat);
    if (!packs.back().Fits(scored)) packs.emplace_back();
    packs.back().Add(scored);
    pages = std::max(pages, packs.back().batch.pages.size());
  });
  ResultLines lines(flags.output);
  const std::unique_ptr<KvCache> cache = policy.backend->NewCache(static_cast<int32_t>(pages));
  for (const Pack& pack : packs) {
    if (pack.batch.rows() > 0) ScorePack(pack, flags, *policy.backend, *cache, &lines);
  }
  lines.Finish();
}

}  // namespace

void AddLogprobsCommand(CLI::App& program) {
  auto flags = std::make_shared<LogprobsFlags>();
  CLI::App* command =
      program.add_subcommand("logprobs", "Log-probabilities of tokens under a policy");
  command->footer(
      "A line {\"tokens\": [t0, …, tn-1]} gives {\"logprobs\": [log p(t1|t0), …]}, n-1 numbers;\n"
      "{\"prompt\" or \"messages\", \"completion\"} (text, each tokenised on its own) or "
      "{\"prompt_tokens\", "
      "\"completion_tokens\"}\n"
      "gives those of the completion. To the bit what `hone generate` printed at the same "
      "temperature.\n"
      "With --backend torch --float64 they are computed and printed in double.");
  AddPolicyFlags(*command, &flags->policy);
  AddChatFlags(*command, &flags->chat);
  command->add_option("--input", flags->input, "JSON Lines, a JSON array or Parquet")->required();
  command->add_option("--temperature", flags->temperature, "logits are divided by it")
      ->capture_default_str();
  command->add_option("--output", flags->output, "file for the result lines (default: stdout)");
  command->callback([flags] { RunLogprobs(*flags); });
}

}  // namespace hone
