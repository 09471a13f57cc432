// The one list of config keys: where each lies in the structs, and what it may be. Reading,
// writing,
// --set and the nearest-key message all go over this list.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "common/config.h"

namespace hone {

enum class Command { kTrain, kSft };

// What a value may be beside its type. Bounds are inclusive unless `low_open`.
struct Limits {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  std::vector<std::string> one_of = {};  // of a string
  bool required = false;                 // must be given
};
inline Limits AtLeast(double low) { return {.low = low}; }
inline Limits Above(double low) { return {.low = low, .low_open = true}; }
inline Limits Between(double low, double high) { return {.low = low, .high = high}; }
inline Limits AboveUpTo(double low, double high) {
  return {.low = low, .high = high, .low_open = true};
}
inline Limits OneOf(std::vector<std::string> words) { return {.one_of = std::move(words)}; }
inline Limits Required() { return {.required = true}; }

// Calls visitor.Section(name) and visitor.Field(key, member, limits) for every key of a command's
// config.
template <class Visitor>
void VisitConfig(Command command, Config& c, Visitor&& visitor) {
  const bool train = command == Command::kTrain;
  visitor.Section("run");
  visitor.Field("name", c.run.name, Limits{});
  visitor.Field("seed", c.run.seed, AtLeast(0));
  visitor.Field("steps", c.run.steps, Between(1, 1e9));
  visitor.Field("output_dir", c.run.output_dir, Limits{});

  visitor.Section("policy");
  visitor.Field("model", c.policy.model, Required());
  visitor.Field("backend", c.policy.backend, OneOf({"exact", "torch"}));
  visitor.Field("device", c.policy.device, OneOf({"cpu", "cuda"}));
  visitor.Field("dtype", c.policy.dtype, OneOf({"f32", "bf16"}));
  visitor.Field("context_length", c.policy.context_length, AtLeast(0));

  visitor.Section("data");
  visitor.Field("train", c.data.train, Limits{});
  visitor.Field("prompt_column", c.data.prompt_column, Limits{});
  visitor.Field("prompt_template", c.data.prompt_template, Limits{});
  visitor.Field("messages_column", c.data.messages_column, Limits{});
  visitor.Field("system_prompt", c.data.system_prompt, Limits{});
  visitor.Field("chat_date", c.data.chat_date, Limits{});
  visitor.Field("on_error", c.data.on_error, OneOf({"stop", "skip"}));
  visitor.Field("shuffle", c.data.shuffle, Limits{});
  if (train) {
    visitor.Field("answer_column", c.data.answer_column, Limits{});
    visitor.Field("answer_from", c.data.answer_from, OneOf({"column", "gsm8k", "boxed"}));
  }

  if (train) {
    visitor.Section("self_test");
    visitor.Field("enabled", c.self_test.enabled, Limits{});
    visitor.Field("rows", c.self_test.rows, Between(1, 1e9));
    visitor.Field("max_gold_refused", c.self_test.max_gold_refused, Between(0, 1));
    visitor.Field("max_attacks_accepted", c.self_test.max_attacks_accepted, Between(0, 1));

    visitor.Section("rollout");
    visitor.Field("source", c.rollout.source, OneOf({"generate", "replay"}));
    visitor.Field("replay", c.rollout.replay, Limits{});
    visitor.Field("num_generations", c.rollout.num_generations, Between(2, 65536));
    visitor.Field("prompts_per_step", c.rollout.prompts_per_step, Between(1, 65536));
    visitor.Field("max_prompt_length", c.rollout.max_prompt_length, Between(1, 1 << 24));
    visitor.Field("max_completion_length", c.rollout.max_completion_length, Between(1, 1 << 24));
    visitor.Field("temperature", c.rollout.temperature, Above(0));
    visitor.Field("top_p", c.rollout.top_p, AboveUpTo(0, 1));
    visitor.Field("top_k", c.rollout.top_k, Between(0, 1 << 24));
    visitor.Field("min_p", c.rollout.min_p, Between(0, 0.999999));
    visitor.Field("repetition_penalty", c.rollout.repetition_penalty, Above(0));
    visitor.Field("stop", c.rollout.stop, Limits{});
    visitor.Field("ignore_eos", c.rollout.ignore_eos, Limits{});
    visitor.Field("workers", c.rollout.workers, Between(1, 256));
    visitor.Field("staleness", c.rollout.staleness, Between(0, 0));

    visitor.Section("algorithm");
    visitor.Field("loss_type", c.algorithm.loss_type, OneOf({"grpo", "bnpo", "dr_grpo", "dapo"}));
    visitor.Field("scale_rewards", c.algorithm.scale_rewards, OneOf({"group", "batch", "none"}));
    visitor.Field("beta", c.algorithm.beta, AtLeast(0));
    visitor.Field("epsilon", c.algorithm.epsilon, AtLeast(0));
    visitor.Field("epsilon_high", c.algorithm.epsilon_high, AtLeast(0));
    visitor.Field("num_iterations", c.algorithm.num_iterations, Between(1, 1024));
    visitor.Field("mask_truncated_completions", c.algorithm.mask_truncated_completions, Limits{});
    visitor.Field("use_bias_correction_kl", c.algorithm.use_bias_correction_kl, Limits{});
  }

  visitor.Section("optimizer");
  visitor.Field("learning_rate", c.optimizer.learning_rate, AtLeast(0));
  visitor.Field("lr_scheduler_type", c.optimizer.lr_scheduler_type,
                OneOf({"linear", "cosine", "constant", "constant_with_warmup"}));
  visitor.Field("warmup_steps", c.optimizer.warmup_steps, Between(0, 1e9));
  visitor.Field("weight_decay", c.optimizer.weight_decay, AtLeast(0));
  visitor.Field("adam_beta1", c.optimizer.adam_beta1, Between(0, 0.9999999));
  visitor.Field("adam_beta2", c.optimizer.adam_beta2, Between(0, 0.9999999));
  visitor.Field("adam_epsilon", c.optimizer.adam_epsilon, Above(0));
  visitor.Field("max_grad_norm", c.optimizer.max_grad_norm, AtLeast(0));

  visitor.Section("learner");
  visitor.Field("micro_batch_tokens", c.learner.micro_batch_tokens, Between(1, 1 << 28));
  visitor.Field("max_group_tokens", c.learner.max_group_tokens, Between(1, 1 << 28));
  if (train) {
    visitor.Field("activation_cache_mib", c.learner.activation_cache_mib, Between(0, 1 << 24));
  }

  if (!train) {
    visitor.Section("sft");
    visitor.Field("batch_size", c.sft.batch_size, Between(1, 1 << 20));
  }

  visitor.Section("checkpoint");
  visitor.Field("every", c.checkpoint.every, Between(0, 1e9));
  visitor.Field("keep", c.checkpoint.keep, Between(0, 1e9));

  if (train) {
    visitor.Section("transport");
    visitor.Field("bind", c.transport.bind, Limits{});
    visitor.Field("reward_workers", c.transport.reward_workers, Between(0, 256));
    visitor.Field("heartbeat_s", c.transport.heartbeat_s, Between(1, 86'400));
  }

  visitor.Section("logging");
  visitor.Field("tensorboard", c.logging.tensorboard, Limits{});
  if (train) visitor.Field("traces", c.logging.traces, Limits{});
  visitor.Field("level", c.logging.level, OneOf({"debug", "info", "warn", "error"}));
}

}  // namespace hone
