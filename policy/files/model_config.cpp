// config.json to ModelConfig. What transformers 4 and 5 write is read alike; a setting that would
// change the forward pass and is not supported is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/error.h"
#include "policy/files/model_folder.h"

namespace hone {
namespace {

constexpr int64_t kMostLayers = 10'000;
constexpr int64_t kMostDimension = INT32_MAX;
constexpr int64_t kMostParameters = int64_t{1} << 44;  // 64 TiB of fp32

class ConfigReader {
 public:
  ConfigReader(const Json& json, const std::filesystem::path& path)
      : json_(json), path_(path.string()) {}

  ModelConfig Run() {
    if (!json_.is_object()) Fail("", "expected a JSON object");
    ModelConfig config;
    config.architecture = Architecture();
    const bool qwen2 = config.architecture == "Qwen2ForCausalLM";
    config.vocab_size = Count("vocab_size", kMostDimension);
    config.hidden_size = Count("hidden_size", kMostDimension);
    config.intermediate_size = Count("intermediate_size", kMostDimension);
    config.num_layers = Count("num_hidden_layers", kMostLayers);
    config.num_heads = Count("num_attention_heads", kMostDimension);
    config.num_kv_heads = Has("num_key_value_heads") ? Count("num_key_value_heads", kMostDimension)
                                                     : config.num_heads;
    config.head_dim = HeadDim(config);
    config.max_position_embeddings = Count("max_position_embeddings", kMostDimension);
    config.rms_norm_eps = Number("rms_norm_eps", config.rms_norm_eps, 1e-12, 1);
    config.initializer_range = Number("initializer_range", config.initializer_range, 0, 100);
    config.rope_theta = RopeTheta(config.rope_theta);
    config.qkv_bias = qwen2;
    config.tie_word_embeddings = Bool("tie_word_embeddings", false);
    CheckHeads(config);
    CheckSettings(qwen2);
    CheckSize(config);
    return config;
  }

 private:
  [[noreturn]] void Fail(const std::string& key, const std::string& message) const {
    throw FileError(path_, key, message);
  }
  bool Has(const std::string& key) const { return json_.contains(key) && !json_[key].is_null(); }

  int64_t Count(const std::string& key, int64_t most) const {
    if (!Has(key)) Fail(key, "is missing");
    const Json& value = json_[key];
    // An unsigned value that is too large for int64_t turns negative.
    const int64_t count = value.is_number_integer() ? value.get<int64_t>() : 0;
    if (count < 1 || count > most) {
      Fail(key, fmt::format("expected a whole number from 1 to {}, found {}", most, Dump(value)));
    }
    return count;
  }

  double Number(const std::string& key, double fallback, double least, double most) const {
    if (!Has(key)) return fallback;
    return CheckNumber(key, json_[key], least, most);
  }
  double CheckNumber(const std::string& key, const Json& value, double least, double most) const {
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!(number >= least && number <= most)) {
      Fail(key, fmt::format("expected a number from {} to {}, found {}", least, most, Dump(value)));
    }
    return number;
  }

  bool Bool(const std::string& key, bool fallback) const {
    if (!Has(key)) return fallback;
    if (!json_[key].is_boolean())
      Fail(key, fmt::format("expected true or false, found {}", Dump(json_[key])));
    return json_[key].get<bool>();
  }

  std::string Architecture() const {
    std::string from_type;
    if (Has("model_type")) {
      const Json& type = json_["model_type"];
      if (type == "llama") from_type = "LlamaForCausalLM";
      if (type == "qwen2") from_type = "Qwen2ForCausalLM";
      if (from_type.empty())
        Fail("model_type", fmt::format("expected \"llama\" or \"qwen2\", found {}", Dump(type)));
    }
    if (!Has("architectures")) {
      if (from_type.empty()) Fail("architectures", "is missing: this is no config.json of a model");
      return from_type;
    }
    const Json& list = json_["architectures"];
    const bool known = list.is_array() && list.size() == 1 &&
                       (list[0] == "LlamaForCausalLM" || list[0] == "Qwen2ForCausalLM");
    if (!known) {
      Fail("architectures",
           fmt::format("expected [\"LlamaForCausalLM\"] or [\"Qwen2ForCausalLM\"], found {}",
                       Dump(list)));
    }
    const auto architecture = list[0].get<std::string>();
    if (!from_type.empty() && architecture != from_type) {
      Fail("architectures", fmt::format("{} does not go with the model_type {}", architecture,
                                        Dump(json_["model_type"])));
    }
    return architecture;
  }

  int64_t HeadDim(const ModelConfig& config) const {
    if (Has("head_dim")) return Count("head_dim", kMostDimension);
    if (config.hidden_size % config.num_heads != 0) {
      Fail("hidden_size", fmt::format("{} is not divisible by num_attention_heads {}",
                                      config.hidden_size, config.num_heads));
    }
    return config.hidden_size / config.num_heads;
  }

  void CheckHeads(const ModelConfig& config) const {
    if (config.num_heads % config.num_kv_heads != 0) {
      Fail("num_key_value_heads", fmt::format("num_attention_heads {} is not divisible by {}",
                                              config.num_heads, config.num_kv_heads));
    }
    if (config.head_dim % 2 != 0) {
      Fail("head_dim",
           fmt::format("expected an even number (rotary embedding turns pairs), found {}",
                       config.head_dim));
    }
  }

  // transformers 4: "rope_theta" and "rope_scaling" at the top; 5: both in "rope_parameters".
  double RopeTheta(double fallback) const {
    double theta = Number("rope_theta", fallback, 1, 1e15);
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      if (!Has(key)) continue;
      const Json& rope = json_[key];
      if (!rope.is_object()) Fail(key, fmt::format("expected an object, found {}", Dump(rope)));
      for (const char* type : {"rope_type", "type"}) {
        if (rope.contains(type) && rope[type] != "default") {
          Fail(fmt::format("{}.{}", key, type),
               fmt::format("{} is not supported; expected \"default\"", Dump(rope[type])));
        }
      }
      for (const auto& [name, value] : rope.items()) {
        const std::string where = fmt::format("{}.{}", key, name);
        if (name == "rope_theta") {
          theta = CheckNumber(where, value, 1, 1e15);
        } else if (name == "partial_rotary_factor" && value != 1.0) {
          Fail(where, fmt::format("{} is not supported; expected 1", Dump(value)));
        } else if (value.is_object()) {
          Fail(where, "rotary embedding that differs by layer is not supported");
        }
      }
    }
    if (Number("partial_rotary_factor", 1, 0, 1) != 1)
      Fail("partial_rotary_factor", "is not supported; expected 1");
    return theta;
  }

  void CheckSettings(bool qwen2) const {
    if (Has("hidden_act") && json_["hidden_act"] != "silu") {
      Fail("hidden_act",
           fmt::format("{} is not supported; expected \"silu\"", Dump(json_["hidden_act"])));
    }
    // Qwen2 has its own biases (q, k, v) whatever the key says; Llama's would be on all four.
    if (!qwen2 && Bool("attention_bias", false))
      Fail("attention_bias", "true is not supported; expected false");
    if (Bool("mlp_bias", false)) Fail("mlp_bias", "true is not supported; expected false");
    if (Bool("use_sliding_window", false))
      Fail("use_sliding_window", "true is not supported; expected false");
    if (Has("quantization_config"))
      Fail("quantization_config", "quantised weights are not supported");
    if (!Has("layer_types")) return;
    const Json& types = json_["layer_types"];
    const bool full =
        types.is_array() && std::all_of(types.begin(), types.end(),
                                        [](const Json& type) { return type == "full_attention"; });
    if (!full) Fail("layer_types", "expected an array of \"full_attention\" alone");
  }

  // Sums in 128 bits first, so that nothing behind this check can overflow.
  void CheckSize(const ModelConfig& config) const {
    using Wide = __int128;
    const Wide attention = Wide{config.hidden_size} * config.head_dim *
                           (2 * config.num_heads + 2 * config.num_kv_heads);
    const Wide layer = attention + Wide{3} * config.hidden_size * config.intermediate_size;
    const Wide all = layer * config.num_layers + Wide{2} * config.vocab_size * config.hidden_size;
    if (attention > kMostParameters || layer > kMostParameters || all > kMostParameters) {
      Fail("", fmt::format("these sizes make a model of more than {} parameters", kMostParameters));
    }
  }

  const Json& json_;
  std::string path_;
};

}  // namespace

ModelConfig ParseModelConfig(const Json& json, const std::filesystem::path& path) {
  return ConfigReader(json, path).Run();
}

}  // namespace hone
