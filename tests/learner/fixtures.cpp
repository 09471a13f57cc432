#include "fixtures.h"

#include <fmt/format.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/philox.h"

namespace hone::testing {
namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "hone-learner-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

ModelFolder TinyModel(bool tied, uint64_t seed) {
  const std::string text = fmt::format(
      R"({{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","vocab_size":96,"hidden_size":32,)"
      R"("intermediate_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,)"
      R"("max_position_embeddings":128,"rms_norm_eps":1e-6,"rope_theta":10000.0,"tie_word_embeddings":{},)"
      R"("hidden_act":"silu","initializer_range":0.1,"eos_token_id":1,"torch_dtype":"float32"}})",
      tied ? "true" : "false");
  ModelFolder model;
  model.path = "tiny";
  model.config = ParseModelConfig(Json::parse(text), "config.json");
  model.layout = MakeLayout(model.config);
  Buffer<float> weights = InitWeights(model.config, model.layout, seed);
  // Norms of all ones and biases of all zeros would hide a mistake in them.
  PhiloxSequence draws(seed, {.purpose = Purpose::kInitWeights, .group = 1000});
  for (const TensorSpec& tensor : model.layout.tensors) {
    if (tensor.shape.size() != 1) continue;
    for (int64_t i = 0; i < tensor.size; ++i) {
      weights[static_cast<size_t>(tensor.offset + i)] +=
          static_cast<float>(0.2 * draws.Uniform() - 0.1);
    }
  }
  model.weights = MakeWeights(model.layout, std::move(weights), 0);
  model.generation.eos_token_ids = {1};
  model.companions = {{"config.json", text}};
  return model;
}

ModelFolder TinyModelIn(const fs::path& folder, uint64_t seed) {
  const ModelFolder model = TinyModel(true, seed);
  fs::create_directories(folder);
  WriteModelFiles(folder, model, model.layout, model.weights->data);
  return LoadModelFolder(folder);
}

std::unique_ptr<Backend> ExactBackendOf(const ModelFolder& model, int threads) {
  BackendOptions options;
  options.threads = threads;
  return MakeBackend(options, model.config);
}

Config TinyConfig() {
  Config config;
  config.run.steps = 10;
  config.rollout.max_completion_length = 24;
  config.optimizer.learning_rate = 1e-3;
  config.optimizer.lr_scheduler_type = "constant";
  return config;
}

StepBatch RandomBatch(uint64_t seed, int groups, int samples) {
  PhiloxSequence draws(seed, {.purpose = Purpose::kGenerateData});
  StepBatch batch;
  const auto tokens = [&](size_t count) {
    std::vector<int32_t> list(count);
    for (int32_t& token : list) token = static_cast<int32_t>(2 + draws.Below(94));
    return list;
  };
  const int lengths[] = {5, 16, 19, 33, 15, 1};  // below, at and above a page of 16
  for (int g = 0; g < groups; ++g) {
    ScoredGroup& group = batch.groups.emplace_back();
    group.rollout.task.group_id = static_cast<uint64_t>(g);
    group.rollout.task.prompt_tokens = tokens(static_cast<size_t>(lengths[g % 6]));
    group.rollout.task.num_generations = samples;
    group.verifier_names = {"rule"};
    group.rewards_VG.resize(1);
    for (int s = 0; s < samples; ++s) {
      Completion& completion = group.rollout.completions.emplace_back();
      completion.tokens = tokens(1 + draws.Below(24));
      completion.finish_reason = s + 1 == samples ? FinishReason::kLength : FinishReason::kStop;
      if (s + 1 < samples) completion.tokens.back() = 1;
      group.rewards_G.push_back(static_cast<float>(draws.Below(11)) / 10);
      group.rewards_VG[0].push_back(group.rewards_G.back());
    }
  }
  return batch;
}

std::vector<float> Copy(std::span<const float> values) { return {values.begin(), values.end()}; }
std::string Bytes(const fs::path& file) { return ReadFile(file); }

}  // namespace hone::testing
