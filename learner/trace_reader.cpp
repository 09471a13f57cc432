#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "learner/run_files.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

// One line's place, for errors.
struct Place {
  const fs::path& path;
  int64_t line = 0;
  [[noreturn]] void Fail(const std::string& message) const {
    throw FileError(path.string(), fmt::format("line {}", line), message);
  }
};

// One completion, before it has found its group.
struct Trace {
  int64_t line = 0;
  const fs::path* path = nullptr;
  std::string prompt;
  std::vector<int32_t> prompt_tokens;
  Completion completion;
  float reward = 0;
  std::vector<std::string> names;
  std::vector<float> rewards;
};

using Samples = std::map<uint64_t, Trace>;
using Groups = std::map<uint64_t, Samples>;
using Steps = std::map<uint64_t, Groups>;

uint64_t Ordinal(const Json& json, const char* key, const Place& place) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned()) {
    place.Fail(fmt::format("expected \"{}\": a whole number of 0 or more", key));
  }
  return found->get<uint64_t>();
}

std::vector<int32_t> Tokens(const Json& json, const char* key, const TraceOptions& options,
                            const Place& place) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array() || found->empty()) {
    place.Fail(fmt::format("expected \"{}\": an array of at least one token id", key));
  }
  const int64_t end =
      options.vocab_size > 0 ? options.vocab_size : std::numeric_limits<int32_t>::max();
  std::vector<int32_t> tokens;
  for (const Json& token : *found) {
    if (!token.is_number_integer()) place.Fail(fmt::format("expected token ids in \"{}\"", key));
    const auto id = token.get<int64_t>();
    if (id < 0 || id >= end) {
      place.Fail(fmt::format("\"{}\" holds token {}, the model's vocabulary has {}", key, id, end));
    }
    tokens.push_back(static_cast<int32_t>(id));
  }
  return tokens;
}

float Reward(const Json& json, const std::string& key, const Place& place) {
  if (json.is_null()) return std::numeric_limits<float>::quiet_NaN();
  if (!json.is_number())
    place.Fail(fmt::format("expected \"{}\": a number, or null for no verdict", key));
  return json.get<float>();
}

std::string OptionalText(const Json& json, const char* key, const Place& place) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return "";
  if (!found->is_string()) place.Fail(fmt::format("expected \"{}\": text", key));
  return found->get<std::string>();
}

Completion ReadCompletion(const Json& json, const TraceOptions& options, const Place& place) {
  Completion completion;
  completion.tokens = Tokens(json, "completion_tokens", options, place);
  if (const auto found = json.find("logprobs"); found != json.end() && !found->is_null()) {
    if (!found->is_array() || found->size() != completion.tokens.size()) {
      place.Fail(fmt::format("expected \"logprobs\": {} numbers, as there are tokens",
                             completion.tokens.size()));
    }
    for (const Json& logprob : *found) {
      if (!logprob.is_number()) place.Fail("expected numbers in \"logprobs\"");
      completion.logprobs.push_back(logprob.get<float>());
    }
  }
  const std::string finish = OptionalText(json, "finish_reason", place);
  if (!finish.empty() && finish != "stop" && finish != "length") {
    place.Fail("expected \"finish_reason\": \"stop\" or \"length\"");
  }
  const auto& ends = options.terminators;
  const bool ended =
      finish.empty() ? std::find(ends.begin(), ends.end(), completion.tokens.back()) != ends.end()
                     : finish == "stop";
  completion.finish_reason = ended ? FinishReason::kStop : FinishReason::kLength;
  if (json.contains("version")) completion.version = Ordinal(json, "version", place);
  const std::string fingerprint = OptionalText(json, "fingerprint", place);
  if (!fingerprint.empty() && !ParseHash(fingerprint, &completion.fingerprint)) {
    place.Fail("expected \"fingerprint\": 32 hexadecimal digits");
  }
  return completion;
}

void ReadLine(const std::string& line, const fs::path& path, int64_t number,
              const TraceOptions& options, Steps* steps) {
  const Place place{path, number};
  const Json json = ParseJsonLine(line, path, number);
  if (!json.is_object()) place.Fail("expected a JSON object");
  const uint64_t step = Ordinal(json, "step", place), group = Ordinal(json, "group", place);
  const uint64_t sample = Ordinal(json, "sample", place);
  Trace trace;
  trace.line = number;
  trace.path = &path;
  trace.prompt = OptionalText(json, "prompt", place);
  trace.prompt_tokens = Tokens(json, "prompt_tokens", options, place);
  trace.completion = ReadCompletion(json, options, place);
  if (!json.contains("reward")) place.Fail("expected \"reward\": a number, or null for no verdict");
  trace.reward = Reward(json["reward"], "reward", place);
  if (const auto found = json.find("rewards"); found != json.end()) {
    if (!found->is_object()) place.Fail("expected \"rewards\": an object of numbers by verifier");
    for (const auto& [name, reward] : found->items()) {
      trace.names.push_back(name);
      trace.rewards.push_back(Reward(reward, "rewards", place));
    }
  }
  const auto [at, fresh] = (*steps)[step][group].emplace(sample, std::move(trace));
  if (!fresh) {
    place.Fail(fmt::format("step {}, group {}, sample {} was already on line {}", step, group,
                           sample, at->second.line));
  }
}

ScoredGroup MakeGroup(uint64_t step, uint64_t group_id, Samples& samples) {
  ScoredGroup group;
  PromptTask& task = group.rollout.task;
  Trace& first = samples.begin()->second;
  task.group_id = group_id;
  task.step = step;
  task.version = first.completion.version;
  task.num_generations = static_cast<int32_t>(samples.size());
  task.prompt = first.prompt;
  task.prompt_tokens = first.prompt_tokens;
  group.verifier_names = first.names;
  group.rewards_VG.resize(first.names.size());
  for (auto& [sample, trace] : samples) {
    const Place place{*trace.path, trace.line};
    if (sample != group.rewards_G.size()) {
      place.Fail(fmt::format("group {} has sample {}, but no sample {}", group_id, sample,
                             group.rewards_G.size()));
    }
    if (trace.prompt_tokens != task.prompt_tokens) {
      place.Fail(fmt::format("another prompt than the other samples of group {}", group_id));
    }
    if (trace.names != group.verifier_names)
      place.Fail("other verifiers in \"rewards\" than in the group's first line");
    for (size_t v = 0; v < trace.rewards.size(); ++v)
      group.rewards_VG[v].push_back(trace.rewards[v]);
    group.rewards_G.push_back(trace.reward);
    group.rollout.completions.push_back(std::move(trace.completion));
  }
  return group;
}

std::vector<fs::path> FilesOf(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".jsonl") || name.ends_with(".jsonl.zst")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<StepBatch> ReadTraces(const fs::path& path, const TraceOptions& options) {
  const std::vector<fs::path> files = FilesOf(path);
  Steps steps;
  for (const fs::path& file : files) {
    ForEachLine(file, [&](const std::string& line, int64_t number) {
      ReadLine(line, file, number, options, &steps);
    });
  }
  if (steps.empty()) throw FileError(path.string(), "", "expected recorded traces, found none");
  std::vector<StepBatch> batches;
  for (auto& [step, groups] : steps) {
    StepBatch& batch = batches.emplace_back();
    batch.step = batches.size() - 1;
    for (auto& [group_id, samples] : groups) {
      batch.groups.push_back(MakeGroup(batch.step, group_id, samples));
      if (batch.groups.back().verifier_names != batch.groups.front().verifier_names) {
        const Trace& first = samples.begin()->second;
        Place{*first.path, first.line}.Fail(
            "other verifiers in \"rewards\" than in the step's first group");
      }
    }
  }
  return batches;
}

}  // namespace hone
