// hone bench: how fast the engine decodes and prefills a policy on this machine.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/command.h"
#include "cli/load_policy.h"
#include "cli/result_lines.h"
#include "common/error.h"
#include "common/philox.h"
#include "common/thread_pool.h"
#include "kernels/exec.h"

namespace hone {
namespace {

struct BenchFlags {
  PolicyFlags policy;
  std::vector<int32_t> batch = {1, 8, 32};
  int32_t prompt_tokens = 32, new_tokens = 64, runs = 3;
  uint64_t seed = 0;
  bool decode = true;
};

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int64_t PeakRssBytes() {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

std::vector<int32_t> RandomPrompt(const BenchFlags& flags, uint64_t index, int64_t vocab_size) {
  PhiloxSequence draws(flags.seed, {Purpose::kGenerateData, index});
  std::vector<int32_t> tokens(static_cast<size_t>(flags.prompt_tokens));
  for (int32_t& token : tokens)
    token = static_cast<int32_t>(draws.Below(static_cast<uint32_t>(vocab_size)));
  return tokens;
}

void SubmitAll(const BenchFlags& flags, int32_t batch, const ModelConfig& config, Engine* engine) {
  for (int32_t i = 0; i < batch; ++i) {
    const auto index = static_cast<uint64_t>(i);
    engine->Submit({index, index, RandomPrompt(flags, index, config.vocab_size), 1});
  }
}

// Tokens drawn a second once every prompt is in the cache.
double MeasureDecode(int64_t prompt_rows, Engine* engine) {
  const EngineStats before = engine->stats();
  for (int64_t rows = 0; rows < prompt_rows;) {
    const int64_t drawn = engine->stats().drawn;
    if (!engine->Step()) break;
    // What was drawn before this step has been a row since, and was none of a prompt's.
    rows = (engine->stats().rows - before.rows) - (drawn - before.drawn);
  }
  const int64_t begun = engine->stats().drawn;
  const auto begin = std::chrono::steady_clock::now();
  while (engine->Step()) {
  }
  return static_cast<double>(engine->stats().drawn - begun) / SecondsSince(begin);
}

// Prompt tokens a second; the first new token of each is drawn with them.
double MeasurePrefill(Engine* engine) {
  const int64_t before = engine->stats().rows;
  const auto begin = std::chrono::steady_clock::now();
  while (engine->Step()) {
  }
  return static_cast<double>(engine->stats().rows - before) / SecondsSince(begin);
}

double MedianSpeed(const BenchFlags& flags, int32_t batch, Backend& backend) {
  GenerationParams params;
  params.max_tokens = flags.decode ? flags.new_tokens : 1;
  params.ignore_eos = true;
  params.seed = flags.seed;
  EngineLimits limits;
  limits.max_sequences = batch;
  limits.max_length = flags.prompt_tokens + params.max_tokens;
  Engine engine(backend, nullptr, params, limits);
  std::vector<double> speeds;
  for (int32_t run = 0; run <= flags.runs; ++run) {
    SubmitAll(flags, batch, backend.config(), &engine);
    const double speed = flags.decode ? MeasureDecode(int64_t{batch} * flags.prompt_tokens, &engine)
                                      : MeasurePrefill(&engine);
    engine.TakeResults();
    if (run > 0) speeds.push_back(speed);  // the first warms up
  }
  std::sort(speeds.begin(), speeds.end());
  const size_t middle = speeds.size() / 2;
  return speeds.size() % 2 == 1 ? speeds[middle] : (speeds[middle - 1] + speeds[middle]) / 2;
}

void CheckFlags(const BenchFlags& flags, const ModelConfig& config) {
  for (const int32_t batch : flags.batch) {
    if (batch < 1) throw UsageError("--batch: expected numbers from 1 on");
  }
  if (flags.prompt_tokens < 1) throw UsageError("--prompt-tokens: expected at least 1");
  if (flags.runs < 1) throw UsageError("--runs: expected at least 1");
  if (flags.decode && flags.new_tokens < 2) {
    throw UsageError(
        "--new-tokens: expected at least 2: the first comes with the prompt and is not timed");
  }
  const int64_t length = int64_t{flags.prompt_tokens} + (flags.decode ? flags.new_tokens : 1);
  if (length > config.max_position_embeddings) {
    throw UsageError(
        fmt::format("--prompt-tokens and --new-tokens: {} together, but the model has {} positions",
                    length, config.max_position_embeddings));
  }
}

void RunBench(const BenchFlags& flags) {
  const LoadedPolicy policy = LoadPolicy(flags.policy);
  CheckFlags(flags, policy.folder.config);
  ResultLines lines("");
  for (const int32_t batch : flags.batch) {
    const double speed = MedianSpeed(flags, batch, *policy.backend);
    lines.Write({{"bench", flags.decode ? "decode" : "prefill"},
                 {"batch", batch},
                 {"tokens_per_s", speed},
                 {"threads", policy.backend->pool().threads()},
                 {"isa", kernels::IsaName(kernels::DetectIsa())},
                 {"peak_rss_bytes", PeakRssBytes()},
                 {"prompt_tokens", flags.prompt_tokens},
                 {"new_tokens", flags.decode ? flags.new_tokens : 1},
                 {"runs", flags.runs},
                 {"backend", flags.policy.backend},
                 {"dtype", flags.policy.dtype}});
  }
}

void AddBench(CLI::App& bench, const std::string& name, const std::string& about, bool decode) {
  auto flags = std::make_shared<BenchFlags>();
  flags->decode = decode;
  CLI::App* command = bench.add_subcommand(name, about);
  AddPolicyFlags(*command, &flags->policy);
  command->add_option("--batch", flags->batch, "sequences at once, such as 1,8,32")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--prompt-tokens", flags->prompt_tokens, "random tokens of each prompt")
      ->capture_default_str();
  if (decode) {
    command->add_option("--new-tokens", flags->new_tokens, "tokens drawn of each sequence")
        ->capture_default_str();
  }
  command->add_option("--runs", flags->runs, "of which the median is given, after one to warm up")
      ->capture_default_str();
  command->add_option("--seed", flags->seed)->capture_default_str();
  command->callback([flags] { RunBench(*flags); });
}

}  // namespace

void AddBenchCommand(CLI::App& program) {
  CLI::App* command = program.add_subcommand("bench", "Speed of the engine on this machine");
  command->require_subcommand(1);
  command->footer("Prints one JSON line a batch size; tokens_per_s is the median over runs.");
  AddBench(*command, "decode", "Tokens drawn a second, once the prompts are in the cache", true);
  AddBench(*command, "prefill", "Prompt tokens a second", false);
}

}  // namespace hone
