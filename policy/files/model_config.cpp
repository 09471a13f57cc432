// config.json to ModelConfig. What transformers 4 and 5 write is read alike; a setting that would
// change the forward pass and is not supported is refused by name.
#include <fmt/format.h>

#include "policy/families/family.h"
#include "policy/files/model_folder.h"

namespace hone {
namespace {

constexpr int64_t kMostParameters = int64_t{1} << 44;  // 64 TiB of fp32

// Sums in 128 bits first, so that nothing behind this check can overflow.
void CheckSize(const ConfigReader& json, const ModelConfig& config) {
  using Wide = __int128;
  const Wide attention =
      Wide{config.hidden_size} * config.head_dim * (2 * config.num_heads + 2 * config.num_kv_heads);
  const Wide experts = Wide{config.num_experts} * config.hidden_size * (3 * config.expert_size + 1);
  const Wide layer = attention + Wide{3} * config.hidden_size * config.intermediate_size + experts;
  const Wide all = layer * config.num_layers + Wide{2} * config.vocab_size * config.hidden_size;
  if (attention > kMostParameters || layer > kMostParameters || all > kMostParameters) {
    json.Fail("",
              fmt::format("these sizes make a model of more than {} parameters", kMostParameters));
  }
}

}  // namespace

ModelConfig ParseModelConfig(const Json& json, const std::filesystem::path& path) {
  const ConfigReader reader(json, path.string());
  if (!json.is_object()) reader.Fail("", "expected a JSON object");
  reader.Refuse("quantization_config", "the weights must not be quantised");
  const ModelFamily& family = FamilyOf(reader);
  ModelConfig config;
  config.architecture = family.architecture;
  family.read(reader, &config);
  CheckSize(reader, config);
  return config;
}

}  // namespace hone
