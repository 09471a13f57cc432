// What the learner's tests share: a tiny model, batches, a folder that goes away.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/config.h"
#include "learner/step_batch.h"
#include "policy/backend.h"
#include "policy/files/model_folder.h"

namespace hone::testing {

// A new folder, removed with all it holds at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A random two-layer Qwen2 (with biases) of 32 hidden units and 96 tokens, EOS 1; no tokenizer.
ModelFolder TinyModel(bool tied = true, uint64_t seed = 1);
// The same, written to and read from a folder.
ModelFolder TinyModelIn(const std::filesystem::path& folder, uint64_t seed = 1);
std::unique_ptr<Backend> ExactBackendOf(const ModelFolder& model, int threads = 1);

// Settings that suit the tiny model: learning rate 1e-3, constant, 10 steps.
Config TinyConfig();

// Groups with random prompts (lengths around a page), completions of random lengths and rewards;
// the last sample of each group is cut by length. No log-probabilities.
StepBatch RandomBatch(uint64_t seed, int groups = 3, int samples = 4);

std::vector<float> Copy(std::span<const float> values);
std::string Bytes(const std::filesystem::path& file);

}  // namespace hone::testing
