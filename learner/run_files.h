// What a run writes for people and scripts: metrics.jsonl, tensorboard/, traces/. (ledger.jsonl is the
// broker's.)
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "learner/learner.h"

namespace hone {

// metrics.jsonl and TensorBoard events. On resume, cuts metrics.jsonl back to steps <= `resume_step`.
class MetricsWriter {
 public:
  MetricsWriter(const std::filesystem::path& run, bool tensorboard, uint64_t resume_step);
  ~MetricsWriter();
  void Write(uint64_t step, const Metrics& metrics);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// traces/step-000001.jsonl.zst: one line a completion, in order of group and sample:
// {"step","group","sample","prompt","prompt_tokens","completion","completion_tokens","logprobs","rewards":
// {verifier: reward},"reward","advantage","finish_reason","version","fingerprint"}. Nothing in it differs
// from run to run. Written atomically. `step` is the generation batch's ordinal + 1.
void WriteTrace(const std::filesystem::path& run, const StepBatch& batch,
                const std::vector<std::vector<float>>& advantages, const Tokenizer& tokenizer);

// Recorded batches of a replay file or traces folder (see docs and WriteTrace), in order of step.
// Throws FileError naming the line.
std::vector<StepBatch> ReadTraces(const std::filesystem::path& path);

}  // namespace hone
