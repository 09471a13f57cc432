// What a run writes for people and scripts: metrics.jsonl, tensorboard/, traces/. (ledger.jsonl is
// the broker's.)
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "learner/learner.h"

namespace hone {

// metrics.jsonl and TensorBoard events (tensorboard/events.out.tfevents.0000000000.hone). Both are
// cut back to steps <= `resume_step` first, and what an interrupted write left at the end is
// dropped. Throws RunError.
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
// {verifier: reward},"reward","errors" ({verifier: {"cause","reason"}}, where there are
// any),"advantage","finish_reason","version","fingerprint"}. Nothing in it differs from run to run;
// every float reads back to the same bits. Written atomically. `step` is the generation batch's
// ordinal + 1. Texts are decoded with special tokens; without a tokenizer (null) they are left out.
void WriteTrace(const std::filesystem::path& run, const StepBatch& batch,
                const std::vector<std::vector<float>>& advantages, const Tokenizer* tokenizer);
// Removes the traces of batches after the first `batches`, and what an interrupted write left.
void CutTraces(const std::filesystem::path& run, uint64_t batches);

struct TraceOptions {
  // Tokens that end a completion (EOS, padding): where a line has no finish_reason, one that ends
  // otherwise was cut by length.
  std::vector<int32_t> terminators;
  int64_t vocab_size = 0;  // 0: token ids are not checked
};

// Recorded batches of a replay file or a traces folder (.jsonl or .jsonl.zst), in order of step,
// groups in order of their number, samples of theirs; StepBatch::step counts from 0. A line needs
// "step", "group", "sample", "prompt_tokens", "completion_tokens" and "reward" (null: no verdict);
// "logprobs", "rewards", "finish_reason", "prompt", "version" and "fingerprint" are taken where
// given. Throws FileError naming the line.
std::vector<StepBatch> ReadTraces(const std::filesystem::path& path,
                                  const TraceOptions& options = {});

// Resident memory of this process.
uint64_t ResidentBytes();

}  // namespace hone
