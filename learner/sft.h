// Supervised training on demonstrations: the cold start before reinforcement learning.
#pragma once

#include <filesystem>
#include <vector>

#include "common/config.h"
#include "learner/job.h"
#include "rollout/data_set.h"

namespace hone {

using SftOutcome = JobOutcome;

struct Demonstrations {
  std::vector<Learner::Example> examples;
  DataReport report;
};

// The demonstrations of data files (rollout/data_set.h, by data.on_error): {"prompt", "completion"}
// texts (the prompt as data.prompt_column or data.prompt_template say, after data.system_prompt),
// {"messages", "completion"} or {"messages"} that end with the assistant's, by the model's chat
// template, or {"prompt_tokens", "completion_tokens"}. A completion given as text gets the model's
// EOS appended (unless it ends with one), and from the template's text ends behind it; one given as
// tokens is taken as it is. Throws FileError naming the line or row.
Demonstrations ReadDemonstrations(const std::vector<std::string>& files, const DataSection& data,
                                  const ModelFolder& model);

// Trains config.policy.model on config.data.train for run.steps steps of sft.batch_size examples,
// in the order of PromptOrder, into the run folder: metrics.jsonl, tensorboard/, data.json,
// checkpoints/. With `resume` it goes on from the newest whole checkpoint, to the same bits.
// `interrupt` (may be null) ends it after the step at hand, with a checkpoint.
SftOutcome TrainSft(const Config& config, const std::filesystem::path& folder, bool resume,
                    int threads, const OnStep& on_step, const std::atomic<bool>* interrupt);

}  // namespace hone
