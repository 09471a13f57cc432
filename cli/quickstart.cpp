// hone quickstart: from nothing to a policy that reasons, as `make quickstart` runs it.
//
// Data, a random model, a cold start on imperfect demonstrations, GRPO, and an evaluation before
// and after, each stage by the same functions as the commands of that name. Run again it does only
// what is left.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "cli/command.h"
#include "cli/init_model.h"
#include "cli/jobs.h"
#include "cli/load_policy.h"
#include "cli/quickstart_report.h"
#include "common/error.h"
#include "common/file.h"
#include "common/log.h"
#include "learner/checkpoints.h"
#include "reward/options.h"
#include "reward/tasks/task.h"

namespace hone {
namespace fs = std::filesystem;
namespace {

struct Quickstart {
  uint64_t seed = 1;
  fs::path output = "runs/quickstart",
           base = "configs/quickstart";  // base: model.json and tokenizer.json
  fs::path sft_config = "configs/quickstart/sft.toml",
           train_config = "configs/quickstart/grpo.toml";
  std::string task = "arithmetic";
  std::vector<std::string> task_settings, sft_overrides, train_overrides;
  int threads = 0;
  int64_t eval_count = 500, train_count = 4096;
};

// Seconds of the stages done so far, and the seed they belong to; kept beside them so that a run
// that was stopped and started again adds up.
class Stages {
 public:
  Stages(const fs::path& output, uint64_t seed) : path_(output / "stages.json") {
    if (fs::exists(path_)) {
      state_ = ReadJson(path_);
      if (state_.value("seed", uint64_t{0}) != seed) {
        throw UsageError(fmt::format(
            "{}: expected the stages of seed {}, found those of seed {}: give another output",
            output.string(), seed, Dump(state_["seed"])));
      }
    } else {
      state_ = {{"seed", seed}, {"seconds", Json::object()}};
      Save();
    }
  }

  void Run(const std::string& name, const std::function<void()>& stage) {
    const auto begin = std::chrono::steady_clock::now();
    const auto account = [&] {
      const double spent =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      state_["seconds"][name] = seconds(name) + spent;
      Save();
    };
    try {
      stage();
    } catch (...) {
      account();
      throw;
    }
    state_["done"][name] = true;
    account();
  }
  bool done(const std::string& name) const {
    return state_.contains("done") && state_["done"].contains(name);
  }
  double seconds(const std::string& name) const { return state_["seconds"].value(name, 0.0); }

 private:
  void Save() const { WriteFileAtomically(path_, Dump(state_) + "\n"); }
  fs::path path_;
  Json state_;
};

void WriteData(const Quickstart& q, int64_t demonstrations) {
  const fs::path data = q.output / "data";
  std::error_code error;
  fs::create_directories(data, error);
  DataRequest request;
  request.task = q.task;
  request.options = ParseOptions(q.task_settings);
  const auto write = [&](const std::string& name, int64_t count, uint64_t seed) {
    request.count = count;
    request.seed = seed;
    WriteFileAtomically(data / name, MakeData(request));
  };
  // Seeds are spread so that no two files of any two runs are drawn from one stream, and nothing of
  // the held-out problems is in what is trained on.
  write("eval.jsonl", q.eval_count, q.seed);
  request.exclude = {data / "eval.jsonl"};
  write("train.jsonl", q.train_count, q.seed + 1'000'000);
  request.demonstrations = true;
  write("demonstrations.jsonl", demonstrations, q.seed + 2'000'000);
}

RunConfig LoadStage(Command command, const Quickstart& q, const fs::path& file,
                    const std::string& name, const fs::path& model, const std::string& data,
                    const std::vector<std::string>& overrides) {
  std::vector<std::string> sets = {
      fmt::format("run.seed={}", q.seed), "run.name=" + name, "run.output_dir=" + q.output.string(),
      "policy.model=" + model.string(), "data.train=" + (q.output / "data" / data).string()};
  sets.insert(sets.end(), overrides.begin(), overrides.end());
  return LoadConfig(command, file, sets);
}

HeldOut Examine(const Quickstart& q, const RunConfig& train, const fs::path& model_path) {
  const LoadedPolicy policy = LoadPolicy({.model = model_path.string(),
                                          .backend = train.config.policy.backend,
                                          .device = train.config.policy.device,
                                          .dtype = train.config.policy.dtype,
                                          .threads = q.threads});
  const ModelFolder& model = policy.folder;
  ChatPrompts chat(model.path, std::nullopt);  // its prompts are texts
  const std::vector<PromptRow> rows =
      ReadPrompts({(q.output / "data/eval.jsonl").string()}, train.config.data, *model.tokenizer,
                  chat, train.config.rollout.max_prompt_length)
          .rows;
  EvalOptions options;
  options.generation.sampling.greedy = true;
  options.generation.max_tokens = static_cast<int32_t>(train.config.rollout.max_completion_length);
  options.generation.eos_token_ids = model.generation.eos_token_ids;
  const Scorer scorer(train.rewards, train.verifiers, model.tokenizer);
  return Summarize(Evaluate(*policy.backend, model, rows, scorer, options), *model.tokenizer);
}

void Run(const Quickstart& q) {
  std::error_code error;
  fs::create_directories(q.output, error);
  Stages stages(q.output, q.seed);
  const fs::path model = q.output / "model";
  const JobOptions job{.resume = true, .threads = q.threads};
  const RunConfig sft = LoadStage(Command::kSft, q, q.sft_config, "cold-start", model,
                                  "demonstrations.jsonl", q.sft_overrides);
  const fs::path cold_start =
      CheckpointPath(sft.folder(), static_cast<uint64_t>(sft.config.run.steps));
  const RunConfig train = LoadStage(Command::kTrain, q, q.train_config, "grpo", cold_start,
                                    "train.jsonl", q.train_overrides);
  const int64_t demonstrations =
      sft.config.run.steps * sft.config.sft.batch_size;  // each is seen once
  if (!stages.done("data")) stages.Run("data", [&] { WriteData(q, demonstrations); });
  if (!stages.done("model")) {
    stages.Run("model", [&] {
      InitModelFolder(q.base / "model.json", q.base / "tokenizer.json", q.seed, model);
    });
  }
  const fs::path trained =
      CheckpointPath(train.folder(), static_cast<uint64_t>(train.config.run.steps));
  if (!fs::exists(cold_start)) stages.Run("cold-start", [&] { RunSft(sft, job); });
  const HeldOut before = Examine(q, train, cold_start);
  spdlog::info("cold start: pass@1 {:.3f} on {} held-out problems", before.pass_at_1,
               before.passed.size());
  if (!fs::exists(trained)) stages.Run("grpo", [&] { RunTraining(train, job); });
  const HeldOut after = Examine(q, train, trained);

  const double seconds = stages.seconds("cold-start") + stages.seconds("grpo");
  OrderedJson summary;
  summary["task"] = q.task;
  summary["seed"] = q.seed;
  summary["pass_at_1_before"] = before.pass_at_1;
  summary["pass_at_1_after"] = after.pass_at_1;
  summary["train_seconds"] = seconds;
  summary["cold_start_seconds"] = stages.seconds("cold-start");
  summary["grpo_seconds"] = stages.seconds("grpo");
  summary["problems"] = before.passed.size();
  summary["model"] = trained.string();
  summary["cold_start"] = cold_start.string();
  WriteFileAtomically(q.output / "summary.json", summary.dump(2) + "\n");
  PrintQuickstart(before, after, seconds, q.output, trained);
}

}  // namespace

void AddQuickstartCommand(CLI::App& program) {
  auto q = std::make_shared<Quickstart>();
  CLI::App* command = program.add_subcommand(
      "quickstart",
      "From nothing to a policy that reasons: data, cold start, GRPO, evaluation before and after");
  command->add_option("--seed", q->seed, "Of everything")->capture_default_str();
  command
      ->add_option("--output", q->output, "Folder of the run; run again, only what is left is done")
      ->capture_default_str();
  command->add_option("--task", q->task, "arithmetic or countdown")
      ->capture_default_str()
      ->check(CLI::IsMember({"arithmetic", "countdown"}));
  command->add_option("--sft", q->sft_config, "TOML file of the cold start")->capture_default_str();
  command->add_option("--grpo", q->train_config, "TOML file of the reinforcement learning")
      ->capture_default_str();
  command
      ->add_option("--base", q->base,
                   "Folder with the model's config (model.json) and tokenizer.json")
      ->capture_default_str();
  command
      ->add_option("--set-task", q->task_settings, "KEY=VALUE: an option of the task (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      ->add_option("--set-sft", q->sft_overrides,
                   "Override a key of the cold start's config (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--set", q->train_overrides, "Override a key of the GRPO config (repeatable)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--threads", q->threads, "0: all cores")->check(CLI::Range(0, 1024));
  command->callback([q] { Run(*q); });
}

}  // namespace hone
