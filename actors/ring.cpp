#include "actors/ring.h"

#include <algorithm>

#include "common/error.h"
#include "learner/policy_folder.h"
#include "reward/self_test_report.h"

namespace hone {
namespace {

// Not again on resume: what was passed stands in the folder.
void ProveVerifiers(const RunOptions& options, const Scorer& scorer, const PromptSet& prompts) {
  const SelfTestSection& section = options.config.self_test;
  if (!section.enabled || (options.resume && PassedSelfTest(options.folder))) return;
  const std::vector<SelfTestResult> results =
      TestVerifiers(scorer, prompts, section, options.config.run.seed, options.threads);
  LogSelfTest(results);
  WriteSelfTest(options.folder, section, results);
  CheckSelfTest(section, results, options.folder);
}

}  // namespace

std::shared_ptr<Ring> MakeRing(const RunOptions& options) {
  CheckZmqVersion();
  const Config& config = options.config;
  const auto at_least_one = [](int64_t value, const char* key) {
    if (value >= 1) return;
    throw UsageError(std::string(key) + " must be at least 1, found " + std::to_string(value));
  };
  at_least_one(config.rollout.prompts_per_step, "rollout.prompts_per_step");
  at_least_one(config.rollout.num_generations, "rollout.num_generations");
  at_least_one(config.rollout.workers, "rollout.workers");
  if (config.rollout.staleness != 0) {
    throw UsageError("rollout.staleness must be 0 (strict on-policy), found " +
                     std::to_string(config.rollout.staleness));
  }
  const TransportSection& transport = config.transport;
  if (transport.reward_workers < 1 && transport.bind.empty()) {
    throw UsageError(
        "transport.reward_workers must be at least 1 where no worker of another process can join "
        "(transport.bind), found " +
        std::to_string(transport.reward_workers));
  }
  auto ring = std::make_shared<Ring>(options);
  ModelFolder& model = ring->model;
  model = LoadPolicyFolder(config.policy, /*with_weights=*/false);
  if (model.tokenizer == nullptr) {
    throw FileError(config.policy.model, "", "has no tokenizer.json, which training needs");
  }
  ChatPrompts chat(model.path, ChatDateOrNone(config.data.chat_date, "data.chat_date"));
  PromptSet prompts = ReadPrompts(config.data.train, config.data, *model.tokenizer, chat,
                                  config.rollout.max_prompt_length);
  ring->scorer = std::make_unique<const Scorer>(
      options.rewards,
      options.verifiers.empty() ? MakeVerifiers(options.rewards, config.run.seed)
                                : options.verifiers,
      model.tokenizer);
  ProveVerifiers(options, *ring->scorer, prompts);
  ring->rows = std::move(prompts.rows);
  ring->session =
      std::make_unique<Session>(config, options.folder, options.resume, options.threads);
  WriteDataReport(options.folder, prompts.report);
  // The weights are the largest frame there is; the table before them is small.
  const int64_t weights = model.layout.size * static_cast<int64_t>(sizeof(float));
  ring->socket.max_frame_bytes = std::max(ring->socket.max_frame_bytes, weights);
  return ring;
}

}  // namespace hone
