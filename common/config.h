// What a user may say of a run, as plain structs with every default in one place. Parsed once, at
// the edge (cli/config_file.h); nothing deeper reads TOML. Names are TRL's where it has one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone {

struct RunSection {
  std::string name = "run";
  uint64_t seed = 0;
  int64_t steps = 100;              // optimizer steps, as TRL's max_steps
  std::string output_dir = "runs";  // the run's folder is output_dir/name
};

struct PolicySection {
  std::string model;              // a Hugging Face folder
  std::string backend = "exact";  // "exact" or "torch"
  std::string device = "cpu";
  std::string dtype = "f32";   // of matrices in use: "f32" or "bf16"; fp32 is what is trained
  int64_t context_length = 0;  // positions that a sequence may have; 0: the model's own number
};

struct DataSection {
  std::vector<std::string> train;  // data files or patterns of them, in order
  std::string prompt_column = "prompt";
  std::string prompt_template;  // when not empty, the prompt, with {column}s in it
  std::string messages_column = "messages";
  std::string answer_column = "answer";  // of every verifier that compares with one
  // Where in that column the answer stands: "column" (it is the answer), "gsm8k" (after ####),
  // "boxed" (in the last \\boxed{}). Verifiers see the answer in the column's place.
  std::string answer_from = "column";
  std::string system_prompt;      // put before each prompt, when not empty
  std::string chat_date;          // "YYYY-MM-DD", for chat templates that print today's
  std::string on_error = "stop";  // at a row that cannot be used: "stop" or "skip"
  bool shuffle = true;
};

// The test of the verifiers before training (reward/self_test.h).
struct SelfTestSection {
  bool enabled = true;
  int64_t rows = 2000;             // whose gold answers are scored
  double max_gold_refused = 0.02;  // shares, by verifier; above them the run does not begin
  double max_attacks_accepted = 0.0;
};

struct RolloutSection {
  std::string source = "generate";  // "generate", or "replay" of recorded traces
  std::string replay;               // the traces' file or folder
  int64_t num_generations = 8;
  int64_t prompts_per_step = 8;
  int64_t max_prompt_length = 512;
  int64_t max_completion_length = 256;
  double temperature = 1.0;
  double top_p = 1.0;
  int64_t top_k = 0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  int64_t workers = 1;
  int64_t staleness = 0;  // only 0 so far: strict on-policy
};

struct AlgorithmSection {
  std::string loss_type = "dapo";       // "grpo", "bnpo", "dr_grpo", "dapo"
  std::string scale_rewards = "group";  // "group", "batch", "none"
  double beta = 0.0;                    // of the KL penalty
  double epsilon = 0.2;
  std::optional<double> epsilon_high;  // epsilon when not given
  int64_t num_iterations = 1;
  bool mask_truncated_completions = false;
  bool use_bias_correction_kl = true;
};

struct OptimizerSection {
  double learning_rate = 1e-6;
  std::string lr_scheduler_type =
      "linear";  // "linear", "cosine", "constant", "constant_with_warmup"
  int64_t warmup_steps = 0;
  double weight_decay = 0.0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;  // 0: no clip
};

struct LearnerSection {
  // Groups are put together to forwards and backwards of so many rows: enough for the full speed of
  // the products, few enough that a layer's activations stay in a cache.
  int64_t micro_batch_tokens = 1536;
  // A group of more rows is cut; from here on the gradient's rounding depends on the cut.
  int64_t max_group_tokens = 16384;
  // Memory for activations that rollout workers of this process keep for the learner, which then
  // need not compute them again. 0: none; beyond it they are computed. Changes no bit.
  int64_t activation_cache_mib = 512;
};

struct CheckpointSection {
  int64_t every = 100;  // steps; the last step is always saved. 0: only the last
  int64_t keep = 2;     // newest checkpoints kept; 0: all
};

struct TransportSection {
  std::string bind;            // where workers of other processes can join; empty: nowhere
  int64_t reward_workers = 2;  // that the run itself starts; 0: others judge
  double heartbeat_s = 60;     // a worker that says nothing for so long counts as dead
};

struct LoggingSection {
  bool tensorboard = true;
  bool traces = true;
  std::string level = "info";
};

struct SftSection {
  int64_t batch_size = 32;  // examples a step
};

struct Config {
  RunSection run;
  PolicySection policy;
  DataSection data;
  SelfTestSection self_test;
  RolloutSection rollout;
  AlgorithmSection algorithm;
  OptimizerSection optimizer;
  LearnerSection learner;
  CheckpointSection checkpoint;
  TransportSection transport;
  LoggingSection logging;
  SftSection sft;
};

}  // namespace hone
